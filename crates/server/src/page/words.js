// What the status page says, in its languages.

import { speaker, translateWith } from './language.js';

const WORDS = {
  en: {
    pages: 'Pages', photos: 'Photos', people: 'People', server: 'Server', language: 'Language',
    connecting: 'Connecting…', ready: 'Ready', notReady: 'Not ready', offline: 'No connection', try: 'Try it',
    choose: 'Choose a picture', hint: 'or drop it here, or paste it', another: 'Another picture', text: 'Text',
    faces: 'Faces', similarity: 'Similarity', sentences: 'Sentences, one a line', compare: 'Compare',
    status: 'Status', models: 'Models in memory', looking: 'Looking…', done: 'Done in {s} s, {w} × {h} pixels',
    noText: 'No text', noFaces: 'No faces', faceScores: '{n} found, scores {scores}', noModels: 'None; they load on first use',
    example: 'a receipt\na cat on a sofa\n海边的日落', pickFirst: 'Choose a picture first',
    provider: 'Provider', version: 'Version', runtime: 'ONNX Runtime', workers: 'Workers × threads',
    waiting: 'Waiting pictures / sentences', running: 'Running', idle: 'idle {s} s', uptime: 'Up for', failed: 'Failed: {why}',
    nodes: 'Nodes', nodeUp: '{name}, {n} in work', nodeDown: '{name} is down',
    failures: 'Failed for good', noFailures: 'Nothing', more: 'and {n} more in the list of all failures',
    immichDown: 'Immich does not answer', allThere: 'Everything that Viewfinder adds to Immich works',
    capabilities: {
      text_search: 'Text search', meaning_search: 'Search by meaning', hybrid_search: 'Text and meaning together',
      people_filter: 'Filter by people', people_in_answers: 'People in results', album_filter: 'Filter by albums',
      tag_filter: 'Filter by tags', exif: 'Places and cameras', redo_text: 'Reading text again',
      redo_vectors: 'Making vectors again', follow_changes: 'Following changes', viewer_menu: 'Menu of a photo',
      selection_menu: 'Menu of a selection', marks: 'Marks on found text',
    },
  },
  zh: {
    pages: '页面', photos: '照片', people: '人物', server: '服务', language: '语言',
    connecting: '正在连接…', ready: '就绪', notReady: '未就绪', offline: '无法连接', try: '试一试',
    choose: '选择一张图片', hint: '也可以拖到这里，或直接粘贴', another: '换一张', text: '文字',
    faces: '人脸', similarity: '相似度', sentences: '句子，每行一句', compare: '比较',
    status: '状态', models: '内存中的模型', looking: '正在识别…', done: '用时 {s} 秒，{w} × {h} 像素',
    noText: '没有文字', noFaces: '没有人脸', faceScores: '找到 {n} 张，得分 {scores}', noModels: '暂无，首次使用时加载',
    example: '一张发票\n沙发上的猫\n海边的日落', pickFirst: '请先选择图片',
    provider: '计算后端', version: '版本', runtime: 'ONNX Runtime', workers: '工作线程 × 每线程核数',
    waiting: '排队的图片 / 句子', running: '正在处理', idle: '空闲 {s} 秒', uptime: '已运行', failed: '失败：{why}',
    nodes: '节点', nodeUp: '{name}，处理中 {n}', nodeDown: '{name} 不可用',
    failures: '彻底失败的任务', noFailures: '没有', more: '其余 {n} 条见完整列表',
    immichDown: 'Immich 没有响应', allThere: 'Viewfinder 为 Immich 增加的功能全部可用',
    capabilities: {
      text_search: '文字搜索', meaning_search: '语义搜索', hybrid_search: '文字与语义混合搜索',
      people_filter: '按人物筛选', people_in_answers: '结果中的人物', album_filter: '按相册筛选',
      tag_filter: '按标签筛选', exif: '地点与相机信息', redo_text: '重新识别文字',
      redo_vectors: '重新生成向量', follow_changes: '跟踪图库变化', viewer_menu: '照片菜单',
      selection_menu: '多选菜单', marks: '标出搜到的文字',
    },
  },
  es: {
    pages: 'Páginas', photos: 'Fotos', people: 'Personas', server: 'Servidor', language: 'Idioma',
    connecting: 'Conectando…', ready: 'Listo', notReady: 'No está listo', offline: 'Sin conexión', try: 'Pruébalo',
    choose: 'Elige una imagen', hint: 'o suéltala aquí, o pégala', another: 'Otra imagen', text: 'Texto',
    faces: 'Caras', similarity: 'Similitud', sentences: 'Frases, una por línea', compare: 'Comparar',
    status: 'Estado', models: 'Modelos en memoria', looking: 'Analizando…', done: 'Listo en {s} s, {w} × {h} píxeles',
    noText: 'Sin texto', noFaces: 'Sin caras', faceScores: '{n} encontradas, puntuaciones {scores}', noModels: 'Ninguno; se cargan al usarse por primera vez',
    example: 'un recibo\nun gato en un sofá\n海边的日落', pickFirst: 'Elige primero una imagen',
    provider: 'Proveedor', version: 'Versión', runtime: 'ONNX Runtime', workers: 'Trabajadores × hilos',
    waiting: 'Imágenes / frases en espera', running: 'En curso', idle: 'inactivo {s} s', uptime: 'Activo desde hace', failed: 'Error: {why}',
    nodes: 'Nodos', nodeUp: '{name}, {n} en curso', nodeDown: '{name} no responde',
    failures: 'Fallos definitivos', noFailures: 'Ninguno', more: 'y {n} más en la lista completa',
    immichDown: 'Immich no responde', allThere: 'Todo lo que Viewfinder añade a Immich funciona',
    capabilities: {
      text_search: 'Búsqueda de texto', meaning_search: 'Búsqueda por significado', hybrid_search: 'Texto y significado juntos',
      people_filter: 'Filtro por personas', people_in_answers: 'Personas en los resultados', album_filter: 'Filtro por álbumes',
      tag_filter: 'Filtro por etiquetas', exif: 'Lugares y cámaras', redo_text: 'Releer el texto',
      redo_vectors: 'Regenerar vectores', follow_changes: 'Seguimiento de cambios', viewer_menu: 'Menú de una foto',
      selection_menu: 'Menú de una selección', marks: 'Marcas en el texto encontrado',
    },
  },
};

/** What is said under a key. */
export const say = speaker(WORDS);

/** Puts the language's words into the page. */
export const translate = () => translateWith(say);
