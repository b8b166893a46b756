use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use viewfinder_catalog::search::Similarity;
use viewfinder_engine::runtime::Device;

use super::aliases;
use super::secret::Secret;
use super::value::{
    FetchOnRequest, KeySource, Kind, LogColour, LogFormat, NodeEntry, OcrProfile, OpenTo, Preload, Value,
};

/// Where a flag for a setting is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// By every command.
    Everywhere,
    /// By `serve`, and by `config` and `doctor`, which look at what `serve` would do.
    Serve,
}

/// One setting: its names, its meaning, and how to read and show it.
pub(crate) struct Setting {
    /// Path in the TOML file, such as `log.level`.
    pub key: &'static str,
    /// Environment variable; empty for what only a file can hold.
    pub env: &'static str,
    /// Other programs' variables that are understood.
    pub aliases: &'static [Alias],
    /// Flag without its dashes, and where it is offered.
    pub flag: Option<(&'static str, Scope)>,
    /// Never shown, and may be kept in a file of its own.
    pub secret: bool,
    /// What names this file.
    pub in_file: InFile,
    /// What it is for, in lines.
    pub help: &'static [&'static str],
    /// Shown in the example file where the default is nothing.
    pub example: &'static str,
    pub(super) set_text: fn(&mut Config, &str) -> Result<(), String>,
    pub(super) set_toml: fn(&mut Config, &toml::Value, &Path) -> Result<(), String>,
    /// The current value; `None` when there is none.
    pub get: fn(&Config) -> Option<toml::Value>,
    /// Yes or no: its flag may stand alone.
    pub switch: bool,
    /// Several values: its flag may be repeated.
    pub list: bool,
}

/// What names the file that a secret is kept in, in place of the secret itself.
pub(crate) struct InFile {
    /// Path in the TOML file.
    pub key: &'static str,
    /// Environment variable.
    pub env: &'static str,
    /// Flag without its dashes, and where it is offered.
    pub flag: Option<(&'static str, Scope)>,
}

/// Another program's variable for a setting.
pub(crate) struct Alias {
    /// Its name; `__` separates nested names, and case does not matter.
    pub name: &'static str,
    /// Applies its value; what it answers is said to the user.
    pub(super) apply: fn(&mut Config, &str) -> Result<Option<String>, String>,
}

macro_rules! apply {
    ($field:ident) => {
        |config, text| {
            config.$field = Value::from_text(text)?;
            Ok(None)
        }
    };
    ($field:ident $function:path) => {
        $function
    };
}

macro_rules! flag {
    () => {
        None
    };
    ($name:literal $scope:ident $end:literal) => {
        Some((concat!($name, $end), Scope::$scope))
    };
    ($name:literal $scope:ident) => {
        Some(($name, Scope::$scope))
    };
}

macro_rules! example {
    () => {
        ""
    };
    ($text:literal) => {
        $text
    };
}

macro_rules! settings {
    ($(
        $(#[doc = $help:literal])+
        $field:ident: $type:ty = $default:expr;
            $key:literal, $env:literal
            $(, flag $flag:literal $scope:ident)?
            $(, aliases [$($alias:literal $(=> $function:path)?),+])?
            $(, example $example:literal)?
            ;
    )+) => {
        /// Everything that can be configured, with a value.
        #[allow(clippy::doc_markdown, reason = "these lines are also help and comments in the example file")]
        #[derive(Clone, Debug, PartialEq)]
        pub(crate) struct Config { $($(#[doc = $help])+ pub $field: $type,)+ }

        impl Default for Config {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        /// All settings, in the order of the example file.
        pub(crate) const SETTINGS: &[Setting] = &[$(
            Setting {
                key: $key,
                env: $env,
                aliases: &[$($(Alias { name: $alias, apply: apply!($field $($function)?) },)+)?],
                flag: flag!($($flag $scope)?),
                secret: <$type as Value>::SECRET,
                in_file: InFile {
                    key: concat!($key, "_file"),
                    env: concat!($env, "_FILE"),
                    flag: flag!($($flag $scope "-file")?),
                },
                help: &[$($help),+],
                example: example!($($example)?),
                set_text: |config, text| {
                    config.$field = Value::from_text(text)?;
                    Ok(())
                },
                set_toml: |config, value, base| {
                    config.$field = Value::from_toml(value, base)?;
                    Ok(())
                },
                get: |config| config.$field.to_toml(),
                switch: <$type as Value>::SWITCH,
                list: <$type as Value>::LIST,
            },
        )+];
    };
}

settings! {
    /// Addresses to listen on, as HOST:PORT. All protocols answer on each of them.
    /// Usual ports: 3003 for Immich, 8060 for MT Photos, 8080 for the inference gateway.
    listen: Vec<String> = vec!["[::]:3003".to_owned()];
        "listen", "VIEWFINDER_LISTEN", flag "listen" Serve,
        aliases [
            "IMMICH_HOST" => aliases::immich_host,
            "IMMICH_PORT" => aliases::immich_port,
            "PORT" => aliases::another_port,
            "HTTP_PORT" => aliases::another_port
        ];
    /// Key that MT Photos must send in its `api-key` header. Change the default if others can reach the port.
    /// An address with a key of its own, see `listen_keys`, wants that one instead.
    api_key: Secret = Secret::new("mt_photos_ai_extra");
        "api_key", "VIEWFINDER_API_KEY", flag "api-key" Serve, aliases ["API_AUTH_KEY"];

    /// Names by which browsers may open this server, such as that of a proxy before it. Its addresses, names without a dot and
    /// those of local networks (.local, .lan, .home.arpa, .internal and the like) need not be said; `*` allows every name.
    server_hosts: Vec<String> = Vec::new();
        "server.hosts", "VIEWFINDER_HOSTS", example "[\"photos.example.com\"]";

    /// How much to log: error, warn, info, debug, trace, or a filter such as `info,viewfinder_engine=debug`.
    log_level: String = "info".to_owned();
        "log.level", "VIEWFINDER_LOG_LEVEL", flag "log-level" Everywhere,
        aliases ["IMMICH_LOG_LEVEL" => aliases::immich_log_level];
    /// `text` for people, `json` for one object per line.
    log_format: LogFormat = LogFormat::Text;
        "log.format", "VIEWFINDER_LOG_FORMAT", flag "log-format" Everywhere;
    /// When to colour the log: auto, always, never.
    log_colour: LogColour = LogColour::Auto;
        "log.colour", "VIEWFINDER_LOG_COLOUR", flag "colour" Everywhere, aliases ["NO_COLOR" => aliases::no_color];

    /// Folder of downloaded models. Without it, the user's data folder.
    store_root: Option<PathBuf> = None;
        "store.root", "VIEWFINDER_MODELS", flag "store" Everywhere, example "/var/lib/viewfinder/models";
    /// Never use the network: what is not on this machine is missing.
    store_offline: bool = false;
        "store.offline", "VIEWFINDER_OFFLINE", flag "offline" Everywhere, aliases ["HF_HUB_OFFLINE"];
    /// Models that a request may have fetched: `known`, those of this configuration, those that a stock Immich asks for, and those that
    /// were fetched before; or `any` that Viewfinder knows, about 100, for whoever can reach the port.
    store_on_request: FetchOnRequest = FetchOnRequest::Known;
        "store.on_request", "VIEWFINDER_STORE_ON_REQUEST", flag "on-request" Serve;
    /// Model caches in Immich's own layout, used in place and never written to, before anything is downloaded.
    store_immich_caches: Vec<PathBuf> = Vec::new();
        "store.immich_caches", "VIEWFINDER_IMMICH_CACHES", aliases ["MACHINE_LEARNING_CACHE_FOLDER"],
        example "[\"/cache\"]";
    /// Address of a Hugging Face mirror.
    store_hf_endpoint: Option<String> = None;
        "store.hf_endpoint", "VIEWFINDER_HF_ENDPOINT", aliases ["HF_ENDPOINT"],
        example "https://mirror.example";
    /// Token for Hugging Face, for models that want one.
    store_hf_token: Option<Secret> = None;
        "store.hf_token", "VIEWFINDER_HF_TOKEN", aliases ["HF_TOKEN"], example "hf_…";
    /// Address of a ModelScope mirror.
    store_modelscope_endpoint: Option<String> = None;
        "store.modelscope_endpoint", "VIEWFINDER_MODELSCOPE_ENDPOINT", example "https://mirror.example";
    /// Address of a GitHub mirror.
    store_github_endpoint: Option<String> = None;
        "store.github_endpoint", "VIEWFINDER_GITHUB_ENDPOINT", example "https://mirror.example";

    /// OCR model of the command line, of MT Photos and of the inference gateway. Immich names its own.
    ocr_model: String = "PP-OCRv6_small".to_owned();
        "ocr.model", "VIEWFINDER_OCR_MODEL";
    /// Rules of the command line's and the status page's OCR: viewfinder, rapidocr or immich.
    ocr_profile: OcrProfile = OcrProfile::Viewfinder;
        "ocr.profile", "VIEWFINDER_OCR_PROFILE";
    /// Face pack of the command line and of MT Photos: buffalo_l, buffalo_m, buffalo_s or antelopev2.
    /// Immich names its own. The weights may be used for non-commercial research only.
    faces_model: String = "buffalo_l".to_owned();
        "faces.model", "VIEWFINDER_FACES_MODEL", aliases ["RECOGNITION_MODEL"];
    /// Least score of a face, 0 to 1, for the command line and MT Photos. Immich sends its own.
    faces_min_score: f32 = 0.65;
        "faces.min_score", "VIEWFINDER_FACES_MIN_SCORE", aliases ["DETECTION_THRESH"];
    /// Least cosine between the vectors of two faces of one person, when faces in a catalogue are grouped.
    faces_same_person: f32 = 0.5;
        "faces.same_person", "VIEWFINDER_FACES_SAME_PERSON";
    /// CLIP model of the command line and of MT Photos. Immich names its own; see `aliases`.
    clip_model: String = "cn-clip/ViT-B-16".to_owned();
        "clip.model", "VIEWFINDER_CLIP_MODEL", aliases ["CLIP_MODEL" => aliases::clip_model];
    /// CLIP model of sentences, where it is not `clip.model`: the same in another precision, such as
    /// cn-clip/ViT-B-16@int8 for pictures and cn-clip/ViT-B-16 for sentences.
    clip_text_model: Option<String> = None;
        "clip.text_model", "VIEWFINDER_CLIP_TEXT_MODEL", example "cn-clip/ViT-B-16";
    /// Least cosine between a model in another precision and the published one at which the vectors of one may search
    /// those of the other, as measured when it was made.
    clip_least_cosine: f32 = 0.99;
        "clip.least_cosine", "VIEWFINDER_CLIP_LEAST_COSINE";

    /// File of the catalogue of indexed folders. Without it, catalog.db in the user's data folder.
    catalog_file: Option<PathBuf> = None;
        "catalog.file", "VIEWFINDER_CATALOG_FILE", example "/var/lib/viewfinder/catalog.db";
    /// PostgreSQL database of the catalogue, in place of a file. It needs the pgvector extension.
    catalog_url: Option<Secret> = None;
        "catalog.url", "VIEWFINDER_CATALOG_URL", example "postgres://user:password@host/database";
    /// Text search configuration of that database, such as zhparser's, whose words are found beside Viewfinder's own.
    catalog_text_search_config: Option<String> = None;
        "catalog.text_search_config", "VIEWFINDER_CATALOG_TEXT_SEARCH_CONFIG", example "chinese";
    /// Words that the cutting of Chinese text into words shall know: one a line, perhaps with a frequency and a part of
    /// speech, as for jieba.
    catalog_user_dictionary: Option<PathBuf> = None;
        "catalog.user_dictionary", "VIEWFINDER_CATALOG_USER_DICTIONARY", example "/etc/viewfinder/words.txt";
    /// Folder of the small pictures that the page of photos shows. Without it, thumbnails in the user's data folder.
    catalog_thumbnails: Option<PathBuf> = None;
        "catalog.thumbnails", "VIEWFINDER_CATALOG_THUMBNAILS", example "/var/cache/viewfinder/thumbnails";
    /// Bytes of all small pictures together; the oldest make room.
    catalog_thumbnail_bytes: u64 = 2_000_000_000;
        "catalog.thumbnail_bytes", "VIEWFINDER_CATALOG_THUMBNAIL_BYTES";
    /// Pictures are found by what they show if their similarity to the words lies at least so many deviations above that
    /// of other pictures.
    search_similarity_floor: f32 = Similarity::default().floor;
        "search.similarity_floor", "VIEWFINDER_SEARCH_SIMILARITY_FLOOR";
    /// And if it lies at least at this part of the most similar picture's, 0 to 1.
    search_similarity_share: f32 = Similarity::default().share;
        "search.similarity_share", "VIEWFINDER_SEARCH_SIMILARITY_SHARE";
    /// Relevance of a picture that shows exactly what was asked for, beside 1 for text that says it.
    search_similarity_weight: f32 = Similarity::default().weight;
        "search.similarity_weight", "VIEWFINDER_SEARCH_SIMILARITY_WEIGHT";
    /// What `viewfinder index` looks for: ocr, clip, faces.
    index_kinds: Vec<Kind> = vec![Kind::Ocr, Kind::Clip, Kind::Faces];
        "index.kinds", "VIEWFINDER_INDEX_KINDS";
    /// Also index what links in the folders lead to elsewhere, and show it. Whoever can put a link into such a folder can then have
    /// any picture shown that Viewfinder may read.
    index_follow_links: bool = false;
        "index.follow_links", "VIEWFINDER_INDEX_FOLLOW_LINKS";

    /// Who sees the photos on an address without a key: `token`, whoever opened the page by the address that the server prints when it
    /// starts; or `loopback`, whoever seems to sit at this machine too. Behind a proxy on this machine, `loopback` shows your photos to
    /// everybody whom the proxy lets in.
    web_open_to: OpenTo = OpenTo::Token;
        "web.open_to", "VIEWFINDER_WEB_OPEN_TO";

    /// OCR rules for Immich.
    immich_ocr_profile: OcrProfile = OcrProfile::Immich;
        "immich.ocr_profile", "VIEWFINDER_IMMICH_OCR_PROFILE";
    /// Address of an Immich server that is opened through Viewfinder, which adds to it: `ocr:` in its search, and entries in
    /// its menus. Without it, there is no companion.
    companion_immich_url: Option<String> = None;
        "companion.immich_url", "VIEWFINDER_COMPANION_IMMICH_URL", example "http://immich-server:2283";
    /// Certificates (PEM) of authorities that may sign that of an Immich with https. Without it, the public ones.
    companion_immich_ca_file: Option<PathBuf> = None;
        "companion.immich_ca_file", "VIEWFINDER_COMPANION_IMMICH_CA_FILE", example "my-ca.pem";
    /// Immich's PostgreSQL database. With it, Viewfinder searches and ranks by itself, and text and vectors of single photos
    /// can be done again. Without it, Immich itself searches for text. A schema `viewfinder` is made in it, and nothing else.
    companion_database_url: Option<Secret> = None;
        "companion.database_url", "VIEWFINDER_COMPANION_DATABASE_URL",
        example "postgres://postgres:password@database/immich";
    /// Immich's folder of media as it is seen here. With it and the database, text that Immich does not read itself, because it is older
    /// than v2.2 or its OCR is off, is read from the previews.
    companion_media: Option<PathBuf> = None;
        "companion.media", "VIEWFINDER_COMPANION_MEDIA", example "/data";
    /// What paths of that folder begin with in the database. Without it, Immich's own word in the database, or `upload`.
    companion_media_prefix: Option<String> = None;
        "companion.media_prefix", "VIEWFINDER_COMPANION_MEDIA_PREFIX", example "/data";
    /// API keys of Immich's users, where its database is out of reach: each user's pictures are listed and their previews read with
    /// their own key, and what is found is kept in a catalogue of theirs. A key needs asset.read, asset.view and user.read.
    companion_api_keys: Vec<Secret> = Vec::new();
        "companion.api_keys", "VIEWFINDER_COMPANION_API_KEYS",
        example "one key for each user, from Immich's account settings";
    /// The folder of these catalogues. Without it: `immich` in the data folder.
    companion_catalogs: Option<PathBuf> = None;
        "companion.catalogs", "VIEWFINDER_COMPANION_CATALOGS", example "/data/immich";
    /// The file of what people asked to be done again and is not done yet, so that it goes on after a restart. Without it:
    /// `immich/jobs-….json` in the data folder, with a short hash of `immich_url`: one file for each Immich.
    companion_jobs: Option<PathBuf> = None;
        "companion.jobs", "VIEWFINDER_COMPANION_JOBS", example "/data/immich/jobs.json";
    /// Text search configuration of that database, such as zhparser's, whose words are found beside Viewfinder's own.
    companion_text_search_config: Option<String> = None;
        "companion.text_search_config", "VIEWFINDER_COMPANION_TEXT_SEARCH_CONFIG", example "chinese";
    /// Addresses at which people open Immich, as HOST:PORT.
    companion_listen: Vec<String> = vec!["[::]:2284".to_owned()];
        "companion.listen", "VIEWFINDER_COMPANION_LISTEN";
    /// Adds a script to Immich's pages, for the entries in menus and for marks on text that was searched for.
    companion_script: bool = true;
        "companion.script", "VIEWFINDER_COMPANION_SCRIPT";
    /// Seconds for an answer to a search; past it, Immich answers by itself.
    companion_search_time: Duration = Duration::from_secs(3);
        "companion.search_time", "VIEWFINDER_COMPANION_SEARCH_TIME";
    /// Seconds that a connection to Immich may take to stand. Its answers may take as long as they like.
    companion_connect_time: Duration = Duration::from_secs(5);
        "companion.connect_time", "VIEWFINDER_COMPANION_CONNECT_TIME";
    /// Connections at once to each of these addresses. When they run short, those that wait for a request are closed first. Fewer
    /// where the system allows this program fewer open files.
    companion_connections: usize = 4096;
        "companion.connections", "VIEWFINDER_COMPANION_CONNECTIONS";

    /// OCR rules for MT Photos and the inference gateway.
    mt_photos_ocr_profile: OcrProfile = OcrProfile::RapidOcr;
        "mt_photos.ocr_profile", "VIEWFINDER_MT_PHOTOS_OCR_PROFILE";

    /// The ONNX Runtime library to load. Without it: the store's, then the system's, then a download.
    engine_library: Option<PathBuf> = None;
        "engine.library", "VIEWFINDER_ORT_LIB", flag "library" Everywhere, aliases ["ORT_DYLIB_PATH"],
        example "/usr/lib/libonnxruntime.so";
    /// What computes: auto, cpu, cuda, tensorrt, openvino, coreml, directml, rocm. With cuda and tensorrt, text is still read on
    /// the CPU, which is faster there.
    engine_device: Device = Device::Auto;
        "engine.device", "VIEWFINDER_DEVICE", flag "device" Everywhere, aliases ["DEVICE" => aliases::device];
    /// Which of several accelerators, counted from 0.
    engine_device_id: u32 = 0;
        "engine.device_id", "VIEWFINDER_DEVICE_ID", flag "device-id" Everywhere,
        aliases ["OCR_CUDA_DEVICE_ID", "MACHINE_LEARNING_DEVICE_IDS" => aliases::device_ids, "MACHINE_LEARNING_DEVICE_ID"];
    /// Compute on the CPU when the chosen accelerator cannot be used. Without it, that is an error.
    engine_cpu_fallback: bool = false;
        "engine.cpu_fallback", "VIEWFINDER_CPU_FALLBACK", flag "cpu-fallback" Everywhere;
    /// Pictures worked on at the same time; `auto` fits the cores.
    engine_workers: Option<usize> = None;
        "engine.workers", "VIEWFINDER_WORKERS", flag "workers" Everywhere,
        aliases ["MACHINE_LEARNING_REQUEST_THREADS" => aliases::request_threads];
    /// Threads that one picture's computation may use; `auto` fits the cores.
    engine_threads: Option<usize> = None;
        "engine.threads", "VIEWFINDER_THREADS", flag "threads" Everywhere,
        aliases ["MACHINE_LEARNING_MODEL_INTRA_OP_THREADS"];
    /// Pictures accepted at most, waiting and in work. Past it, the answer is 503 with `Retry-After`.
    engine_queue: usize = 256;
        "engine.queue", "VIEWFINDER_QUEUE", flag "queue" Serve;
    /// Seconds that a picture may wait for a place in a full queue; 0 refuses it at once.
    engine_queue_wait: Option<Duration> = None;
        "engine.queue_wait", "VIEWFINDER_QUEUE_WAIT", flag "queue-wait" Serve;
    /// Seconds after which an unused model leaves memory; 0 keeps it.
    engine_model_ttl: Option<Duration> = Some(Duration::from_mins(5));
        "engine.model_ttl", "VIEWFINDER_MODEL_TTL", flag "model-ttl" Serve,
        aliases ["SERVER_RESTART_TIME" => aliases::model_ttl, "MACHINE_LEARNING_MODEL_TTL" => aliases::model_ttl];
    /// Bytes of the files of all models in memory together, about what they take there. Past it, those unused for the longest leave;
    /// what is in use stays. `auto` is half of the memory that the machine or the container has.
    engine_model_bytes: Option<usize> = None;
        "engine.model_bytes", "VIEWFINDER_MODEL_BYTES", flag "model-bytes" Serve;
    /// Models to load at start, as NAME or NAME:ROLE (roles: detection, classification, recognition, visual, textual).
    engine_preload: Vec<Preload> = Vec::new();
        "engine.preload", "VIEWFINDER_PRELOAD", flag "preload" Serve,
        aliases [
            "MACHINE_LEARNING_PRELOAD__CLIP" => aliases::preload_clip,
            "MACHINE_LEARNING_PRELOAD__CLIP__TEXTUAL" => aliases::preload_textual,
            "MACHINE_LEARNING_PRELOAD__CLIP__VISUAL" => aliases::preload_visual,
            "MACHINE_LEARNING_PRELOAD__FACIAL_RECOGNITION" => aliases::preload_faces,
            "MACHINE_LEARNING_PRELOAD__FACIAL_RECOGNITION__DETECTION" => aliases::preload_detection,
            "MACHINE_LEARNING_PRELOAD__FACIAL_RECOGNITION__RECOGNITION" => aliases::preload_recognition,
            "MACHINE_LEARNING_PRELOAD__OCR__DETECTION" => aliases::preload_detection,
            "MACHINE_LEARNING_PRELOAD__OCR__RECOGNITION" => aliases::preload_recognition,
            "AUTO_LOAD_TXT_MODAL" => aliases::auto_load_text
        ],
        example "[\"PP-OCRv6_small\", \"cn-clip/ViT-B-16:textual\"]";
    /// Faces embedded in one call; `auto` takes all of a picture.
    engine_max_face_batch: Option<usize> = None;
        "engine.max_face_batch", "VIEWFINDER_MAX_FACE_BATCH",
        aliases ["MACHINE_LEARNING_MAX_BATCH_SIZE__FACIAL_RECOGNITION"];

    /// Bytes that one picture may have.
    limits_max_bytes: u64 = 100_000_000;
        "limits.max_bytes", "VIEWFINDER_MAX_BYTES";
    /// Pixels that one picture may have. Each takes 3 bytes of memory, more while certain files are decoded.
    limits_max_pixels: u64 = 110_000_000;
        "limits.max_pixels", "VIEWFINDER_MAX_PIXELS";
    /// Longest side that a picture may have, in pixels.
    limits_max_side: u32 = 40_000;
        "limits.max_side", "VIEWFINDER_MAX_SIDE";

    /// Bytes of all requests that the server holds at once. Past it, the answer is 503.
    limits_held_bytes: u64 = 512_000_000;
        "limits.held_bytes", "VIEWFINDER_HELD_BYTES";
    /// Seconds that a request's body may take to arrive.
    limits_body_time: Duration = Duration::from_mins(2);
        "limits.body_time", "VIEWFINDER_BODY_TIME";
    /// Seconds that a request's head may take to arrive, and that a kept connection may be idle.
    limits_head_time: Duration = Duration::from_mins(1);
        "limits.head_time", "VIEWFINDER_HEAD_TIME";
    /// Seconds that a client may take to fetch an answer.
    limits_answer_time: Duration = Duration::from_mins(1);
        "limits.answer_time", "VIEWFINDER_ANSWER_TIME";
    /// Bytes that a request's head may have, at least 8192. Past it, the answer is 431.
    limits_head_bytes: usize = 65_536;
        "limits.head_bytes", "VIEWFINDER_HEAD_BYTES";
    /// Lines that a request's head may have. Past it, the answer is 431.
    limits_headers: usize = 100;
        "limits.headers", "VIEWFINDER_HEADERS";
    /// Connections at once to each address. When they run short, those that wait for a request are closed first. Fewer where
    /// the system allows this program fewer open files.
    limits_connections: usize = 1024;
        "limits.connections", "VIEWFINDER_CONNECTIONS";
    /// Seconds that a node may take for one request. A first one waits for its model to be fetched and loaded.
    limits_node_time: Duration = Duration::from_mins(4);
        "limits.node_time", "VIEWFINDER_NODE_TIME";
    /// Seconds that a connection to a node may take to stand.
    limits_node_connect_time: Duration = Duration::from_secs(3);
        "limits.node_connect_time", "VIEWFINDER_NODE_CONNECT_TIME";

    /// Address of an Immich machine-learning server that gets every task which no other is for: short for a node
    /// called `immich`, without which `nodes` and `routes` say more.
    remote_immich_api: Option<String> = None;
        "remote.immich_api", "VIEWFINDER_IMMICH_API", aliases ["IMMICH_API"], example "http://nas:3003";
    /// Address of an MT Photos AI server that gets text and CLIP: short for a node called `mt-photos`.
    remote_mt_photos_api: Option<String> = None;
        "remote.mt_photos_api", "VIEWFINDER_MT_PHOTOS_API", aliases ["MT_PHOTOS_API"], example "http://nas:8060";
    /// Key of that MT Photos AI server.
    remote_mt_photos_api_key: Option<Secret> = None;
        "remote.mt_photos_api_key", "VIEWFINDER_MT_PHOTOS_API_KEY", aliases ["MT_PHOTOS_API_KEY"],
        example "mt_photos_ai_extra";

    /// Seconds that a picture waits for an engine to come back when none can take it. Immich itself gives up after 300.
    hold_time: Duration = Duration::from_secs(240);
        "hold.time", "VIEWFINDER_HOLD_TIME";
    /// Bytes of all pictures that wait so. Past it, the answer is 503.
    hold_bytes: u64 = 256_000_000;
        "hold.bytes", "VIEWFINDER_HOLD_BYTES";

    /// Tasks about pictures that failed for good and are remembered; the oldest give way. 0 remembers none.
    failures_count: usize = 1000;
        "failures.count", "VIEWFINDER_FAILURES";
    /// File that keeps them when the server ends, one JSON object a line, for one server alone. Never the pictures.
    failures_file: Option<PathBuf> = None;
        "failures.file", "VIEWFINDER_FAILURES_FILE", example "/var/lib/viewfinder/failures.jsonl";

    /// Which engines get a task: clip.visual, clip.textual, facial-recognition or ocr, perhaps with `:MODEL`, or default.
    /// Engines stand in order of preference; those in brackets of their own share the work. `local` is this process.
    /// Without routes, nodes get everything, and `local` what none of them can take.
    routes: toml::Table = toml::Table::new();
        "routes", "", example "\"ocr\" = [[\"strong\", \"spare\"], \"local\"]";

    /// CLIP names that clients ask for, and the models that answer. Both must have vectors of the same width.
    /// A stock Immich accepts only names it knows; so it can be given Chinese-CLIP under one of them.
    aliases: BTreeMap<String, String> = BTreeMap::new();
        "aliases", "VIEWFINDER_ALIASES", flag "alias" Serve,
        example "\"ViT-B-16__openai\" = \"cn-clip/ViT-B-16\"";

    /// Keys that every request to an address of `listen` must show, as `Authorization: Bearer`, `api-key` or `x-api-key`,
    /// MT Photos' requests too. Only `/ping` wants none. Addresses that are not named here are open.
    /// A key is written as such or kept in a file, { file = "…" }; in the environment as ADDRESS=KEY or ADDRESS=@FILE.
    listen_keys: BTreeMap<String, KeySource> = BTreeMap::new();
        "listen_keys", "VIEWFINDER_LISTEN_KEYS",
        example "\"[::]:8443\" = { file = \"/run/secrets/viewfinder\" }";

    /// Other engines that can be given tasks. Their kinds: viewfinder, immich-ml (Immich's own server), mt-photos.
    /// MT Photos' protocol names no models: such a node answers with its own, whichever is asked for. Give it only tasks
    /// that this is right for, such as `clip.visual:cn-clip/ViT-B-16` and clip.textual with the same. Least scores are
    /// kept here, on its answers.
    nodes: Vec<NodeEntry> = Vec::new();
        "nodes", "", example "\
[[nodes]]
name = \"strong\"
kind = \"viewfinder\"
url = \"https://gaming-pc:8443\"
key_file = \"strong.key\"  # or key = \"…\"
ca_file = \"my-ca.pem\"   # authorities that may sign its certificate; without it, the public ones";

    /// Models of your own, of a known family: paddle-ocr, insight-face, chinese-clip, open-clip, m-clip or nllb.
    /// The folder holds detection/model.onnx, recognition/model.onnx, visual/model.onnx or textual/model.onnx.
    models: Vec<toml::Table> = Vec::new();
        "models", "", example "\
[[models]]
name = \"my-ocr\"
family = \"paddle-ocr\"
sources = [{ file = \"/srv/models/my-ocr\" }]";
}

impl Setting {
    /// The setting with this key.
    pub(super) fn find(key: &str) -> Option<&'static Setting> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }

    /// The secret that is kept in the file of this key.
    pub(super) fn find_in_file(key: &str) -> Option<&'static Setting> {
        SETTINGS.iter().find(|setting| setting.secret && setting.in_file.key == key)
    }
}
