'use strict';

// Everything that comes from a picture or the server is put on the page as text, never as markup.

const WORDS = {
  en: {
    connecting: 'Connecting…', ready: 'Ready', notReady: 'Not ready', offline: 'No connection', try: 'Try it',
    choose: 'Choose a picture', hint: 'or drop it here, or paste it', another: 'Another picture', text: 'Text',
    faces: 'Faces', similarity: 'Similarity', sentences: 'Sentences, one a line', compare: 'Compare',
    status: 'Status', models: 'Models in memory', looking: 'Looking…', done: 'Done in {s} s, {w} × {h} pixels',
    noText: 'No text', noFaces: 'No faces', faceScores: '{n} found, scores {scores}', noModels: 'None; they load on first use',
    example: 'a receipt\na cat on a sofa\n海边的日落', pickFirst: 'Choose a picture first',
    provider: 'Provider', version: 'Version', runtime: 'ONNX Runtime', workers: 'Workers × threads',
    waiting: 'Waiting pictures / sentences', running: 'Running', idle: 'idle {s} s', uptime: 'Up for', failed: 'Failed: {why}',
    nodes: 'Nodes', nodeUp: '{name}, {n} in work', nodeDown: '{name} is down',
    photos: 'Photos',
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
    connecting: '正在连接…', ready: '就绪', notReady: '未就绪', offline: '无法连接', try: '试一试',
    choose: '选择一张图片', hint: '也可以拖到这里，或直接粘贴', another: '换一张', text: '文字',
    faces: '人脸', similarity: '相似度', sentences: '句子，每行一句', compare: '比较',
    status: '状态', models: '内存中的模型', looking: '正在识别…', done: '用时 {s} 秒，{w} × {h} 像素',
    noText: '没有文字', noFaces: '没有人脸', faceScores: '找到 {n} 张，得分 {scores}', noModels: '暂无，首次使用时加载',
    example: '一张发票\n沙发上的猫\n海边的日落', pickFirst: '请先选择图片',
    provider: '计算后端', version: '版本', runtime: 'ONNX Runtime', workers: '工作线程 × 每线程核数',
    waiting: '排队的图片 / 句子', running: '正在处理', idle: '空闲 {s} 秒', uptime: '已运行', failed: '失败：{why}',
    nodes: '节点', nodeUp: '{name}，处理中 {n}', nodeDown: '{name} 不可用',
    photos: '照片',
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
    connecting: 'Conectando…', ready: 'Listo', notReady: 'No está listo', offline: 'Sin conexión', try: 'Pruébalo',
    choose: 'Elige una imagen', hint: 'o suéltala aquí, o pégala', another: 'Otra imagen', text: 'Texto',
    faces: 'Caras', similarity: 'Similitud', sentences: 'Frases, una por línea', compare: 'Comparar',
    status: 'Estado', models: 'Modelos en memoria', looking: 'Analizando…', done: 'Listo en {s} s, {w} × {h} píxeles',
    noText: 'Sin texto', noFaces: 'Sin caras', faceScores: '{n} encontradas, puntuaciones {scores}', noModels: 'Ninguno; se cargan al usarse por primera vez',
    example: 'un recibo\nun gato en un sofá\n海边的日落', pickFirst: 'Elige primero una imagen',
    provider: 'Proveedor', version: 'Versión', runtime: 'ONNX Runtime', workers: 'Trabajadores × hilos',
    waiting: 'Imágenes / frases en espera', running: 'En curso', idle: 'inactivo {s} s', uptime: 'Activo desde hace', failed: 'Error: {why}',
    nodes: 'Nodos', nodeUp: '{name}, {n} en curso', nodeDown: '{name} no responde',
    photos: 'Fotos',
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

const preferred = (navigator.language || 'en').toLowerCase().slice(0, 2);
const language = preferred in WORDS ? preferred : 'en';
const words = WORDS[language];
const $ = (id) => document.getElementById(id);
const say = (key, values = {}) => words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
const svg = (name, attributes) => {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};
const element = (name, text, className) => {
  const created = document.createElement(name);
  if (text !== undefined) created.textContent = text;
  if (className) created.className = className;
  return created;
};

document.documentElement.lang = { en: 'en', zh: 'zh-CN', es: 'es' }[language];
for (const node of document.querySelectorAll('[data-i18n]')) node.textContent = words[node.dataset.i18n];
$('sentences').placeholder = words.example;
$('drop').setAttribute('aria-label', words.choose);

// ---- requests; a browser without the key gets another page, which asks for it ----

async function ask(path, options) {
  const response = await fetch(path, options);
  if (response.status === 401) location.reload();
  return response;
}

// ---- status ----

function badge(state, text) {
  $('badge').dataset.state = state;
  $('badge').textContent = text;
}

function duration(seconds) {
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours > 0 ? `${hours} h ${minutes} min` : minutes > 0 ? `${minutes} min` : `${seconds} s`;
}

function showStatus(health) {
  badge(health.ready ? 'ready' : 'bad', health.ready ? words.ready : `${words.notReady}: ${health.why}`);
  const facts = [
    ['provider', health.fallback ? `${health.provider} (${health.fallback})` : health.provider],
    ['workers', `${health.workers} × ${health.threads}`],
    ['waiting', `${health.queues.pictures} / ${health.queues.sentences}`],
    ['running', health.running],
    ['runtime', health.runtime_version ?? '–'],
    ['version', health.version],
    ['uptime', duration(health.uptime_s)],
  ];
  if (health.nodes.length > 0) {
    const nodes = health.nodes.map((node) => say(node.up ? 'nodeUp' : 'nodeDown', { name: node.name, n: node.in_flight }));
    facts.push(['nodes', nodes.join('; ')]);
  }
  $('facts').replaceChildren(...facts.map(([key, value]) => {
    const fact = element('div');
    fact.append(element('dt', words[key]), element('dd', String(value)));
    return fact;
  }));
  const models = health.models.map((model) => {
    const item = element('li', `${model.name} · ${model.role} `);
    item.append(element('small', say('idle', { s: model.idle_s })));
    return item;
  });
  $('models').replaceChildren(...(models.length > 0 ? models : [element('li', words.noModels)]));
}

// What a companion adds to Immich, as far as something is missing.
function showCompanion(companion) {
  $('companion').hidden = !companion;
  if (!companion) return;
  const missing = Object.entries(companion.capabilities).filter(([, state]) => !state.on);
  const items = missing.map(([name, { reason }]) => {
    const item = element('li');
    item.append(element('strong', words.capabilities[name] ?? name), element('span', reason));
    return item;
  });
  if (!companion.immich_up) items.unshift(element('li', words.immichDown));
  $('capabilities').replaceChildren(...(items.length > 0 ? items : [element('li', words.allThere)]));
}

// The rest is in the list that the page links to.
const SHOWN_FAILURES = 20;

function showFailures({ entries, failures }) {
  $('failure-count').textContent = entries > 0 ? entries : '';
  const items = failures.map((failure) => {
    const item = element('li');
    const times = failure.count > 1 ? ` × ${failure.count}` : '';
    const picture = `${failure.bytes.toLocaleString(language)} B, SHA-256 ${failure.sha256.slice(0, 12)}…`;
    const when = new Date(failure.last).toLocaleString(language);
    item.append(
      element('strong', failure.code + times),
      element('span', `${failure.task} · ${failure.model} · ${failure.engine}`),
      element('span', failure.message),
      element('small', `${when} · ${picture}`),
    );
    item.title = failure.sha256;
    return item;
  });
  if (entries > failures.length) items.push(element('li', say('more', { n: entries - failures.length })));
  $('failures').replaceChildren(...(items.length > 0 ? items : [element('li', words.noFailures)]));
}

async function refresh() {
  try {
    // Not ready is said with 503 and the same body.
    const health = await (await ask('/health')).json();
    showStatus(health);
    showCompanion(health.companion);
    showFailures(await (await ask(`/api/failures?limit=${SHOWN_FAILURES}`)).json());
  } catch {
    badge('bad', words.offline);
  }
}

async function keepRefreshing() {
  if (!document.hidden) await refresh();
  setTimeout(keepRefreshing, 3000);
}

// ---- the panel ----

let picture = null;
let running = null;

function message(text, bad = false) {
  $('message').textContent = text;
  $('message').classList.toggle('bad', bad);
}

function open(file) {
  if (!file) return;
  picture = file;
  URL.revokeObjectURL($('picture').src);
  $('picture').src = URL.createObjectURL(file);
  $('picture').alt = file.name || '';
  $('overlay').replaceChildren();
  $('empty').hidden = true;
  $('figure').hidden = false;
  $('again').hidden = false;
  $('drop').classList.add('filled');
  $('drop').removeAttribute('role');
  $('drop').removeAttribute('tabindex');
  analyze();
}

async function analyze() {
  if (!picture) {
    message(words.pickFirst, true);
    return;
  }
  running?.abort();
  const mine = new AbortController();
  running = mine;
  const form = new FormData();
  form.append('image', picture);
  for (const sentence of $('sentences').value.split('\n')) {
    if (sentence.trim()) form.append('sentence', sentence.trim());
  }
  message(words.looking);
  const started = performance.now();
  try {
    const response = await ask('/api/analyze', { method: 'POST', body: form, signal: mine.signal });
    const found = await response.json();
    if (!response.ok) throw new Error(found.error.message);
    show(found, (performance.now() - started) / 1000);
  } catch (error) {
    if (mine.signal.aborted) return;
    show({ width: 1, height: 1, lines: [], faces: [], similarities: [], problems: {} }, 0);
    message(say('failed', { why: error.message }), true);
  }
}

function show(found, seconds) {
  const problems = Object.values(found.problems).map((problem) => problem.message);
  message(say('done', { s: seconds.toFixed(2), w: found.width, h: found.height }));
  if (problems.length > 0) message(problems.join('\n'), true);

  const overlay = $('overlay');
  overlay.setAttribute('viewBox', `0 0 ${found.width} ${found.height}`);
  overlay.setAttribute('preserveAspectRatio', 'none');
  const polygons = found.lines.map((line) => svg('polygon', { class: 'line', points: line.box.map((p) => p.join(',')).join(' ') }));
  const faces = found.faces.flatMap((face) => {
    const [left, top, right, bottom] = face.box;
    const frame = svg('rect', { class: 'face', x: left, y: top, width: right - left, height: bottom - top });
    const radius = Math.max((right - left) / 50, 1);
    return [frame, ...face.landmarks.map(([x, y]) => svg('circle', { class: 'point', cx: x, cy: y, r: radius }))];
  });
  overlay.replaceChildren(...polygons, ...faces);

  $('line-count').textContent = found.lines.length > 0 ? found.lines.length : '';
  const items = found.lines.map((line, at) => {
    const item = element('li');
    item.tabIndex = 0;
    item.append(element('span', line.text), element('small', line.score.toFixed(2)));
    const light = (on) => () => polygons[at].classList.toggle('lit', on);
    for (const event of ['mouseenter', 'focus']) item.addEventListener(event, light(true));
    for (const event of ['mouseleave', 'blur']) item.addEventListener(event, light(false));
    return item;
  });
  $('lines').replaceChildren(...(items.length > 0 ? items : [element('li', words.noText)]));

  $('face-count').textContent = found.faces.length > 0 ? found.faces.length : '';
  const scores = found.faces.map((face) => face.score.toFixed(2)).join(', ');
  $('faces').textContent = found.faces.length > 0 ? say('faceScores', { n: found.faces.length, scores }) : words.noFaces;

  const best = Math.max(...found.similarities.map((similarity) => similarity.score));
  $('similarities').replaceChildren(...found.similarities.map(({ text, score }) => {
    const item = element('li', undefined, score === best ? 'best' : '');
    const row = element('div', undefined, 'row');
    row.append(element('span', text), element('small', score.toFixed(3)));
    const track = element('div', undefined, 'track');
    const bar = element('div', undefined, 'bar');
    // Cosines between pictures and sentences hardly pass one half, even for a perfect description.
    bar.style.width = `${Math.min(Math.max(score, 0) * 200, 100)}%`;
    track.append(bar);
    item.append(row, track);
    return item;
  }));
}

const drop = $('drop');
const choose = () => $('file').click();
drop.addEventListener('click', () => { if (!picture) choose(); });
drop.addEventListener('keydown', (event) => {
  if (!picture && (event.key === 'Enter' || event.key === ' ')) {
    event.preventDefault();
    choose();
  }
});
$('again').addEventListener('click', choose);
$('file').addEventListener('change', () => {
  open($('file').files[0]);
  $('file').value = '';
});
for (const kind of ['dragenter', 'dragover']) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.add('over');
  });
}
for (const kind of ['dragleave', 'drop']) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    if (kind === 'drop' || !event.relatedTarget) drop.classList.remove('over');
  });
}
document.addEventListener('drop', (event) => open(event.dataTransfer.files[0]));
document.addEventListener('paste', (event) => open([...event.clipboardData.files].find((file) => file.type.startsWith('image/'))));
$('show-lines').addEventListener('change', (event) => $('overlay').classList.toggle('no-lines', !event.target.checked));
$('show-faces').addEventListener('change', (event) => $('overlay').classList.toggle('no-faces', !event.target.checked));
$('ask').addEventListener('submit', (event) => {
  event.preventDefault();
  analyze();
});

keepRefreshing();
