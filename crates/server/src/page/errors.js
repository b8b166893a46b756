// What errors mean, by their stable codes: those of tasks (crates/core/src/error.rs) and those of the catalogue's API.

import { speaker } from './language.js';

const ERRORS = {
  en: {
    image_empty: 'The file is empty', image_undecodable: 'The file is no picture that can be read', image_too_many_bytes: 'The file is too large',
    image_too_large: 'The picture has too many pixels', image_zero_size: 'The picture has no width or no height',
    model_unknown: 'Nothing is known under this model’s name', model_unsuited: 'The model cannot do this',
    model_missing_offline: 'The model is not here, and nothing may be fetched', model_not_allowed: 'The model is not here, and requests may not have it fetched',
    model_unavailable: 'The model could not be fetched', model_no_source: 'The model must be brought as files', model_broken: 'The model’s files do not load',
    model_imprecise: 'The model strays too far in this precision', disk_full: 'The disk is full',
    runtime_unavailable: 'ONNX Runtime is missing or too old', device_unavailable: 'The graphics card cannot be used', out_of_memory: 'The memory is used up',
    inference_failed: 'The model failed over this picture', busy: 'Too much is waiting already; try again soon', stopping: 'The server is stopping',
    node_unavailable: 'The other machine cannot be reached', node_timed_out: 'The other machine did not answer in time',
    node_garbage: 'The other machine’s answer makes no sense', node_refused: 'The other machine refuses', node_unsuited: 'The other machine cannot do this',
    internal: 'Something went wrong inside Viewfinder',
    not_found: 'This is not there (any more)', token_needed: 'A key is needed', key_missing: 'A key is needed',
    key_wrong: 'That is not the key', too_many_tries: 'Too many wrong keys; try again in a minute', query_invalid: 'This search cannot be understood where the cursor stands',
    cursor_invalid: 'The search has changed; search again', vector_missing: 'This picture has nothing to compare yet; wait until it is analysed',
    kind_unknown: 'There is no such analysis', line_unfit: 'A line has 1 to 1000 characters and no line break', name_unfit: 'The name is too long',
    body_invalid: 'The request cannot be understood', body_slow: 'The request took too long to arrive', parameter_invalid: 'The request cannot be understood',
    file_gone: 'The file is not there any more, or was changed', picture_unreadable: 'The picture cannot be shown', range_invalid: 'The file is shorter than that',
    storage_busy: 'The disk does not answer; try again soon', catalogue_absent: 'No folder was indexed yet', catalogue_away: 'The catalogue’s database does not answer; try again soon',
    catalogue_unusable: 'The catalogue cannot be used; the log says why', catalogue_damaged: 'The catalogue is damaged; the log says more',
  },
  zh: {
    image_empty: '文件为空', image_undecodable: '文件不是可读取的图片', image_too_many_bytes: '文件过大',
    image_too_large: '图片像素过多', image_zero_size: '图片的宽或高为零',
    model_unknown: '没有这个名称的模型', model_unsuited: '该模型不支持此任务',
    model_missing_offline: '本机没有该模型，且已禁止联网下载', model_not_allowed: '本机没有该模型，且请求无权触发下载',
    model_unavailable: '模型下载失败', model_no_source: '该模型需自行提供文件', model_broken: '模型文件无法加载',
    model_imprecise: '模型在此精度下偏差过大', disk_full: '磁盘已满',
    runtime_unavailable: '缺少 ONNX Runtime，或其版本过旧', device_unavailable: '无法使用显卡', out_of_memory: '内存不足',
    inference_failed: '模型处理这张图片时出错', busy: '排队的任务过多，请稍后再试', stopping: '服务正在停止',
    node_unavailable: '无法连接另一台机器', node_timed_out: '另一台机器未及时响应',
    node_garbage: '另一台机器的响应无效', node_refused: '另一台机器拒绝了请求', node_unsuited: '另一台机器不支持此任务',
    internal: 'Viewfinder 内部出错',
    not_found: '内容不存在，或已被移除', token_needed: '需要密钥', key_missing: '需要密钥',
    key_wrong: '密钥不正确', too_many_tries: '错误次数过多，请一分钟后再试', query_invalid: '光标处的搜索条件无法识别',
    cursor_invalid: '搜索已变化，请重新搜索', vector_missing: '这张图片尚无可比较的数据，请等待分析完成',
    kind_unknown: '没有这种分析', line_unfit: '每行须为 1 到 1000 个字符，且不能换行', name_unfit: '名字过长',
    body_invalid: '无法识别该请求', body_slow: '请求传输超时', parameter_invalid: '无法识别该请求',
    file_gone: '文件已不存在，或已被修改', picture_unreadable: '无法显示这张图片', range_invalid: '请求的范围超出文件长度',
    storage_busy: '磁盘没有响应，请稍后再试', catalogue_absent: '尚未对任何文件夹建立索引', catalogue_away: '目录数据库没有响应，请稍后再试',
    catalogue_unusable: '目录无法使用，原因见日志', catalogue_damaged: '目录已损坏，详情见日志',
  },
  es: {
    image_empty: 'El archivo está vacío', image_undecodable: 'El archivo no es una imagen que se pueda leer', image_too_many_bytes: 'El archivo es demasiado grande',
    image_too_large: 'La imagen tiene demasiados píxeles', image_zero_size: 'La imagen no tiene ancho o alto',
    model_unknown: 'No se conoce ningún modelo con ese nombre', model_unsuited: 'El modelo no sirve para esto',
    model_missing_offline: 'Falta el modelo y no está permitido descargar nada', model_not_allowed: 'Falta el modelo y las peticiones no pueden descargarlo',
    model_unavailable: 'No se pudo descargar el modelo', model_no_source: 'Hay que aportar los archivos del modelo', model_broken: 'Los archivos del modelo no se pueden cargar',
    model_imprecise: 'El modelo se desvía demasiado con esta precisión', disk_full: 'El disco está lleno',
    runtime_unavailable: 'ONNX Runtime falta o es demasiado antiguo', device_unavailable: 'No se puede usar la tarjeta gráfica', out_of_memory: 'No queda memoria',
    inference_failed: 'El modelo falló con esta imagen', busy: 'Hay demasiado en espera; inténtalo en un momento', stopping: 'El servidor se está deteniendo',
    node_unavailable: 'No se puede contactar con la otra máquina', node_timed_out: 'La otra máquina no respondió a tiempo',
    node_garbage: 'La respuesta de la otra máquina no tiene sentido', node_refused: 'La otra máquina se niega', node_unsuited: 'La otra máquina no sirve para esto',
    internal: 'Algo falló dentro de Viewfinder',
    not_found: 'No existe, o ya no está', token_needed: 'Hace falta una clave', key_missing: 'Hace falta una clave',
    key_wrong: 'Esa no es la clave', too_many_tries: 'Demasiadas claves incorrectas; inténtalo de nuevo en un minuto', query_invalid: 'No se entiende la búsqueda en la posición del cursor',
    cursor_invalid: 'La búsqueda ha cambiado; busca de nuevo', vector_missing: 'Esta foto aún no tiene con qué compararse; espera a que se analice',
    kind_unknown: 'No existe ese análisis', line_unfit: 'Una línea tiene de 1 a 1000 caracteres, sin saltos', name_unfit: 'El nombre es demasiado largo',
    body_invalid: 'No se entiende la petición', body_slow: 'La petición tardó demasiado en llegar', parameter_invalid: 'No se entiende la petición',
    file_gone: 'El archivo ya no está, o ha cambiado', picture_unreadable: 'No se puede mostrar la imagen', range_invalid: 'El archivo es más corto',
    storage_busy: 'El disco no responde; inténtalo en un momento', catalogue_absent: 'Todavía no se ha indexado ninguna carpeta', catalogue_away: 'La base de datos del catálogo no responde; inténtalo en un momento',
    catalogue_unusable: 'El catálogo no se puede usar; el registro dice por qué', catalogue_damaged: 'El catálogo está dañado; el registro dice más',
  },
};

const say = speaker(ERRORS);

/** What a code means; `otherwise`, where nothing is known of it. */
export const sayCode = (code, otherwise) => say(code) ?? otherwise ?? code;
