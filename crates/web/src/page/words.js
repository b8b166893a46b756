// What the page says, in its languages. Adding one means adding a table here, and to the tables in /ui/ (crates/server/src/page).

import { sayCode } from '/ui/errors.js';
import { languageTag, number, offerLanguages, speaker, translateWith } from '/ui/language.js';
import { Refused } from './api.js';

export { languageTag, number, offerLanguages, sayCode };

const WORDS = {
  en: {
    search: 'Search', placeholder: 'Words in a picture, or what it shows', help: 'How to search', language: 'Language', status: 'Status',
    close: 'Close', previous: 'Previous picture', next: 'Next picture', showText: 'Text', info: 'Info', similar: 'Find similar',
    rerunOcr: 'Regenerate OCR data', rerunClip: 'Regenerate CLIP vectors', text: 'Text', copyAll: 'Copy all', people: 'People',
    helpTitle: 'How to search', failures: 'What could not be read',
    all: { one: '{n} picture', other: '{n} pictures' }, found: '{n} found', none: 'Nothing found',
    similarTo: 'Similar to {name}',
    working: '{done} of {all} analysed', failed: '{n} could not be read', byText: 'Found by its text', byMeaning: 'Found by what it shows, similarity {s}',
    byBoth: 'Found by its text and by what it shows, similarity {s}', byMistake: 'Found by text that is nearly the same',
    queued: 'Queued', rerunDone: 'Done', rerunFailed: 'Failed: {why}', offline: 'No connection to Viewfinder', copied: 'Copied',
    edit: 'Correct this line', save: 'Save', cancel: 'Cancel', corrected: 'corrected', noText: 'No text', nobody: 'Nobody recognised',
    noName: 'no name yet', name: 'Name of this person', taken: 'Taken', size: 'Pixels', path: 'Path', analysis: 'Analysis',
    state_never: 'waiting', state_done: 'done by {model}', state_failed: 'failed: {message}', ocr: 'OCR', clip: 'CLIP', faces: 'Faces',
    replaceCorrections: 'This picture has lines that were corrected by hand. Replace them too?',
    note_changed: 'The catalogue has changed meanwhile; search again to see everything once', note_nobody: 'Nobody has this name; name people to find them',
    note_no_letters: 'The query has no letter or digit', note_some_words: 'No text has all of the words; these have some of them', note_text_only: 'Only text was searched',
    pages: 'Pages', photos: 'Photos', video: 'Video', noDate: 'Without a date', zoomIn: 'Zoom in', zoomOut: 'Zoom out', download: 'Download',
    original: 'Open the original', copyText: 'Copy all text', copyFailed: 'This browser does not let the page copy; select the text instead',
    moreActions: 'More', unplayable: 'This browser cannot play the video; download it instead', bytes: 'File size',
    peopleHint: 'Name a face, and everybody finds this person’s pictures by person:Name. Choose several to name or merge them.', peopleNone: 'No faces have been found yet',
    peopleOnce: 'Nobody has been seen more than once yet',
    namedPeople: 'With a name', unnamedPeople: 'Without a name yet', showMore: 'Show more', showOnce: 'Show those who were seen once, too',
    addName: 'Add a name', whoIsThis: 'Who is this?', unnamedPerson: { one: 'Somebody without a name, {n} face', other: 'Somebody without a name, {n} faces' },
    choosePerson: 'Choose {name}', chosenPeople: 'The chosen people', chosen: '{n} chosen', nameForAll: 'Name for all of them', giveName: 'Name',
    picturesOf: { one: '{n} picture', other: '{n} pictures' }, facesOf: { one: '{n} face', other: '{n} faces' }, picturesWith: 'With {name}',
    allPeople: '← All people', showPictures: 'Show the pictures', facesHint: 'A face that is somebody else’s can be taken out, and stays out.',
    notThisPerson: 'Not this person', takenOut: 'Taken out.', undo: 'Undo', openPicture: 'Open {name}', openPerson: 'All faces of {name}',
    merge: 'Merge', mergeTitle: 'Are these the same person?', mergeHint: 'They become one person. This cannot be undone.', mergeYes: 'Yes, merge them', mergeNo: 'No, keep them apart', whichName: 'Under which name?',
    byPicture: 'Search by a picture', dropHere: 'Drop the picture to find what looks like it', likePicture: 'Looks like {name}',
    note_no_vectors: 'No picture can be compared yet; wait until they are analysed', note_words_left_out: 'Beside a picture only filters count; the words were left out',
    helpRows: [
      ['invoice', 'in the text, or shown'], ['ocr:invoice', 'only in the text'], ['clip:beach', 'only shown'],
      ['"total amount"', 'exactly this'], ['-draft', 'without this word'], ['path:2024/trip', 'in this folder or file name'],
      ['after:2024-05 before:2025', 'taken in this time'], ['person:Anna', 'with this person'],
    ],
  },
  zh: {
    search: '搜索', placeholder: '图中的文字，或画面内容', help: '搜索方法', language: '语言', status: '状态',
    close: '关闭', previous: '上一张', next: '下一张', showText: '文字', info: '信息', similar: '查找相似图片',
    rerunOcr: '重新生成 OCR 数据', rerunClip: '重新生成 CLIP 向量', text: '文字', copyAll: '全部复制', people: '人物',
    helpTitle: '搜索方法', failures: '无法读取的内容',
    all: '{n} 张图片', found: '找到 {n} 张', none: '没有找到',
    similarTo: '与 {name} 相似',
    working: '已分析 {done} / {all}', failed: '{n} 张无法读取', byText: '因文字匹配', byMeaning: '因画面内容匹配，相似度 {s}',
    byBoth: '因文字和画面内容匹配，相似度 {s}', byMistake: '因相近的文字匹配',
    queued: '已加入队列', rerunDone: '完成', rerunFailed: '失败：{why}', offline: '无法连接 Viewfinder', copied: '已复制',
    edit: '更正这一行', save: '保存', cancel: '取消', corrected: '已更正', noText: '没有文字', nobody: '没有识别到人物',
    noName: '尚未命名', name: '此人的名字', taken: '拍摄时间', size: '尺寸', path: '路径', analysis: '分析',
    state_never: '等待中', state_done: '已由 {model} 完成', state_failed: '失败：{message}', ocr: 'OCR', clip: 'CLIP', faces: '人脸',
    replaceCorrections: '这张图片有手动更正过的文字，也要替换吗？',
    note_changed: '目录已有变化，请重新搜索', note_nobody: '没有叫这个名字的人，请先为人物命名',
    note_no_letters: '搜索内容没有文字或数字', note_some_words: '没有包含全部词语的图片，以下包含部分词语', note_text_only: '仅搜索了文字',
    pages: '页面', photos: '照片', video: '视频', noDate: '无日期', zoomIn: '放大', zoomOut: '缩小', download: '下载',
    original: '打开原文件', copyText: '复制全部文字', copyFailed: '浏览器不允许本页复制，请手动选择文字',
    moreActions: '更多', unplayable: '此浏览器无法播放该视频，请下载后观看', bytes: '文件大小',
    peopleHint: '为人脸命名后，即可用 person:名字 搜索此人的照片。可选择多人，一并命名或合并。', peopleNone: '还没有找到人脸',
    peopleOnce: '还没有人出现超过一次',
    namedPeople: '已命名', unnamedPeople: '尚未命名', showMore: '显示更多', showOnce: '也显示只出现过一次的人',
    addName: '添加名字', whoIsThis: '这是谁？', unnamedPerson: '未命名的人，{n} 张人脸',
    choosePerson: '选择{name}', chosenPeople: '已选人物', chosen: '已选 {n} 人', nameForAll: '统一命名为', giveName: '命名',
    picturesOf: '{n} 张照片', facesOf: '{n} 张人脸', picturesWith: '有{name}的照片',
    allPeople: '← 全部人物', showPictures: '查看照片', facesHint: '如有他人的人脸，可将其移出；移出后不会再被归入。',
    notThisPerson: '不是此人', takenOut: '已移出。', undo: '撤销', openPicture: '打开 {name}', openPerson: '{name}的全部人脸',
    merge: '合并', mergeTitle: '他们是同一个人吗？', mergeHint: '合并后成为一个人，无法撤销。', mergeYes: '是，合并', mergeNo: '不是，分开保留', whichName: '使用哪个名字？',
    byPicture: '以图搜图', dropHere: '松开鼠标，查找相似图片', likePicture: '与 {name} 相似',
    note_no_vectors: '还没有可比较的图片，请等待分析完成', note_words_left_out: '以图搜图时只有筛选条件有效，已忽略其他词语',
    helpRows: [
      ['发票', '文字中有，或画面内容'], ['ocr:发票', '只搜文字'], ['clip:海边', '只搜画面内容'],
      ['"合计金额"', '完全一致'], ['-草稿', '不含这个词'], ['path:2024/旅行', '文件夹或文件名'],
      ['after:2024-05 before:2025', '在这段时间拍摄'], ['person:小明', '有这个人'],
    ],
  },
  es: {
    search: 'Buscar', placeholder: 'Palabras de una foto, o lo que muestra', help: 'Cómo buscar', language: 'Idioma', status: 'Estado',
    close: 'Cerrar', previous: 'Foto anterior', next: 'Foto siguiente', showText: 'Texto', info: 'Información', similar: 'Buscar parecidas',
    rerunOcr: 'Regenerar datos de OCR', rerunClip: 'Regenerar vectores CLIP', text: 'Texto', copyAll: 'Copiar todo', people: 'Personas',
    helpTitle: 'Cómo buscar', failures: 'Lo que no se pudo leer',
    all: { one: '{n} foto', other: '{n} fotos' }, found: { one: '{n} encontrada', other: '{n} encontradas' }, none: 'No se encontró nada',
    similarTo: 'Parecidas a {name}',
    working: '{done} de {all} analizadas', failed: { one: '{n} no se pudo leer', other: '{n} no se pudieron leer' }, byText: 'Por su texto', byMeaning: 'Por lo que muestra, similitud {s}',
    byBoth: 'Por su texto y por lo que muestra, similitud {s}', byMistake: 'Por un texto casi igual',
    queued: 'En cola', rerunDone: 'Listo', rerunFailed: 'Error: {why}', offline: 'Sin conexión con Viewfinder', copied: 'Copiado',
    edit: 'Corregir esta línea', save: 'Guardar', cancel: 'Cancelar', corrected: 'corregida', noText: 'Sin texto', nobody: 'Nadie reconocido',
    noName: 'sin nombre', name: 'Nombre de esta persona', taken: 'Fecha', size: 'Píxeles', path: 'Ruta', analysis: 'Análisis',
    state_never: 'en espera', state_done: 'hecho por {model}', state_failed: 'error: {message}', ocr: 'OCR', clip: 'CLIP', faces: 'Caras',
    replaceCorrections: 'Esta foto tiene líneas corregidas a mano. ¿Reemplazarlas también?',
    note_changed: 'El catálogo ha cambiado; busca de nuevo para verlo todo una vez', note_nobody: 'Nadie tiene este nombre; pon nombre a las personas para encontrarlas',
    note_no_letters: 'La búsqueda no tiene letras ni cifras', note_some_words: 'Ningún texto tiene todas las palabras; estos tienen algunas', note_text_only: 'Solo se buscó en el texto',
    pages: 'Páginas', photos: 'Fotos', video: 'Vídeo', noDate: 'Sin fecha', zoomIn: 'Ampliar', zoomOut: 'Reducir', download: 'Descargar',
    original: 'Abrir el original', copyText: 'Copiar todo el texto', copyFailed: 'Este navegador no deja copiar a la página; selecciona el texto',
    moreActions: 'Más', unplayable: 'Este navegador no puede reproducir el vídeo; descárgalo', bytes: 'Tamaño del archivo',
    peopleHint: 'Pon nombre a una cara y sus fotos se encontrarán con person:Nombre. Elige varias para nombrarlas o unirlas.', peopleNone: 'Todavía no se ha encontrado ninguna cara',
    peopleOnce: 'Todavía nadie aparece más de una vez',
    namedPeople: 'Con nombre', unnamedPeople: 'Aún sin nombre', showMore: 'Mostrar más', showOnce: 'Mostrar también a quienes aparecen una sola vez',
    addName: 'Añadir nombre', whoIsThis: '¿Quién es?', unnamedPerson: { one: 'Alguien sin nombre, {n} cara', other: 'Alguien sin nombre, {n} caras' },
    choosePerson: 'Elegir a {name}', chosenPeople: 'Personas elegidas', chosen: { one: '{n} elegida', other: '{n} elegidas' }, nameForAll: 'Nombre para todas', giveName: 'Nombrar',
    picturesOf: { one: '{n} foto', other: '{n} fotos' }, facesOf: { one: '{n} cara', other: '{n} caras' }, picturesWith: 'Con {name}',
    allPeople: '← Todas las personas', showPictures: 'Mostrar las fotos', facesHint: 'Una cara que es de otra persona se puede quitar, y no vuelve.',
    notThisPerson: 'No es esta persona', takenOut: 'Quitada.', undo: 'Deshacer', openPicture: 'Abrir {name}', openPerson: 'Todas las caras de {name}',
    merge: 'Unir', mergeTitle: '¿Son la misma persona?', mergeHint: 'Pasan a ser una sola persona. No se puede deshacer.', mergeYes: 'Sí, unirlas', mergeNo: 'No, dejarlas separadas', whichName: '¿Con qué nombre?',
    byPicture: 'Buscar con una imagen', dropHere: 'Suelta la imagen para buscar las que se parecen', likePicture: 'Parecidas a {name}',
    note_no_vectors: 'Todavía no hay fotos con que comparar; espera a que se analicen', note_words_left_out: 'Junto a una imagen solo cuentan los filtros; las palabras se omitieron',
    helpRows: [
      ['factura', 'en el texto, o lo que muestra'], ['ocr:factura', 'solo en el texto'], ['clip:playa', 'solo lo que muestra'],
      ['"importe total"', 'exactamente esto'], ['-borrador', 'sin esta palabra'], ['path:2024/viaje', 'en esta carpeta o nombre'],
      ['after:2024-05 before:2025', 'tomada en este tiempo'], ['person:Ana', 'con esta persona'],
    ],
  },
};

/** What is said under a key, see `speaker`. */
export const say = speaker(WORDS);

/** What went wrong, in words. What a refusal says beyond its code is for whoever reads English. */
export function sayProblem(error) {
  return error instanceof Refused ? sayCode(error.code, error.message) : say('offline');
}

/** Puts the language's words into the page. */
export const translate = () => translateWith(say);
