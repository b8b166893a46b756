// What is said to people, in the languages of the page.
const WORDS = {
  en: {
    numbers: 'en',
    ocr: ['Regenerate OCR data', 'OCR data regenerated', 'OCR data could not be regenerated'],
    clip: ['Regenerate CLIP vectors', 'CLIP vectors regenerated', 'CLIP vectors could not be regenerated'],
    done: (done, all) => `${done} of ${all} done`,
    failed: (failed) => `, ${failed} failed`,
    already: 'This is already running',
    waiting: 'Paused while you were away',
    stopped: (progress) => `Stopped: ${progress}`,
    stop: 'Stop',
    close: 'Close',
    hint: ['Search for text', 'Write words after “ocr:”, such as ocr:invoice'],
  },
  zh: {
    numbers: 'zh-CN',
    ocr: ['重新生成 OCR 数据', '已重新生成 OCR 数据', '未能重新生成 OCR 数据'],
    clip: ['重新生成 CLIP 向量', '已重新生成 CLIP 向量', '未能重新生成 CLIP 向量'],
    done: (done, all) => `已完成 ${done} / ${all}`,
    failed: (failed) => `，${failed} 个失败`,
    already: '该任务已在运行',
    waiting: '你离开期间已暂停',
    stopped: (progress) => `已停止：${progress}`,
    stop: '停止',
    close: '关闭',
    hint: ['搜索文字', '请在“ocr:”后面输入要找的文字，例如 ocr:发票'],
  },
  'zh-hant': {
    numbers: 'zh-TW',
    ocr: ['重新產生 OCR 資料', '已重新產生 OCR 資料', '未能重新產生 OCR 資料'],
    clip: ['重新產生 CLIP 向量', '已重新產生 CLIP 向量', '未能重新產生 CLIP 向量'],
    done: (done, all) => `已完成 ${done} / ${all}`,
    failed: (failed) => `，${failed} 個失敗`,
    already: '這項工作已在執行中',
    waiting: '你離開期間已暫停',
    stopped: (progress) => `已停止：${progress}`,
    stop: '停止',
    close: '關閉',
    hint: ['搜尋文字', '請在「ocr:」後面輸入要找的文字，例如 ocr:發票'],
  },
  es: {
    numbers: 'es',
    ocr: ['Regenerar datos de OCR', 'Datos de OCR regenerados', 'No se pudieron regenerar los datos de OCR'],
    clip: ['Regenerar vectores CLIP', 'Vectores CLIP regenerados', 'No se pudieron regenerar los vectores CLIP'],
    done: (done, all) => `Completadas: ${done} de ${all}`,
    failed: (failed) => `; con errores: ${failed}`,
    already: 'Ya se está ejecutando',
    waiting: 'En pausa mientras no estabas',
    stopped: (progress) => `Detenido. ${progress}`,
    stop: 'Detener',
    close: 'Cerrar',
    hint: ['Buscar texto', 'Escribe palabras después de «ocr:», por ejemplo ocr:factura'],
  },
};

// The page says its language, or keeps the choice of its settings.
const words = () => {
  let chosen = '';
  try {
    chosen = localStorage.getItem('lang') ?? '';
  } catch {
    // Storage may be closed to pages.
  }
  const languages = [chosen.replaceAll('"', ''), document.documentElement.lang, navigator.language];
  const language = (languages.find(Boolean) ?? 'en').toLowerCase();
  const traditional = /^zh.*[-_](hant|tw|hk|mo)/.test(language);
  return WORDS[traditional ? 'zh-hant' : language.split(/[-_]/)[0]] ?? WORDS.en;
};

// How far a job is; nothing for a single photo.
const progress = ({ done, failed, all }) => {
  if (all < 2) return '';
  const said = words();
  const number = (value) => value.toLocaleString(said.numbers);
  return said.done(number(done), number(all)) + (failed > 0 ? said.failed(number(failed)) : '');
};
