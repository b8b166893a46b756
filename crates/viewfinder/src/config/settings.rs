use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use viewfinder_catalog::search::Similarity;
use viewfinder_engine::runtime::Device;

use super::aliases;
use super::secret::Secret;
use super::setting::{Alias, InFile, Scope, Setting};
use super::value::{
    FetchOnRequest, KeySource, Kind, LogColour, LogFormat, NodeEntry, OcrProfile, OpenTo, Preload, Value,
};

settings! {
    Config {
        /// Addresses to listen on, as HOST:PORT. All protocols answer on each of them.
        /// Usual ports: 3003 for Immich, 8060 for MT Photos, 8080 for the older Go gateway.
        listen: Vec<String> = vec!["[::]:3003".to_owned()],
            ("VIEWFINDER_LISTEN", flag "listen" Serve,
            aliases [
                "IMMICH_HOST" => aliases::immich_host,
                "IMMICH_PORT" => aliases::immich_port,
                "PORT" => aliases::another_port,
                "HTTP_PORT" => aliases::another_port
            ]);
        /// Key that MT Photos must send in its `api-key` header. Change the default if others can reach the port.
        /// An address with a key of its own, see `listen_keys`, wants that one instead.
        api_key: Secret = Secret::new("mt_photos_ai_extra"),
            ("VIEWFINDER_API_KEY", flag "api-key" Serve, aliases ["API_AUTH_KEY"]);
    }

    /// By which names it may be opened.
    [server] ServerSettings {
        /// Names by which browsers may open this server, such as that of a proxy before it. Its addresses, names without a dot and
        /// those of local networks (.local, .lan, .home.arpa, .internal and the like) need not be said; `*` allows every name.
        hosts: Vec<String> = Vec::new(),
            ("VIEWFINDER_HOSTS", example "[\"photos.example.com\"]");
    }

    /// What is told while it works.
    [log] LogSettings {
        /// How much to log: error, warn, info, debug, trace, or a filter such as `info,viewfinder_engine=debug`.
        level: String = "info".to_owned(),
            ("VIEWFINDER_LOG_LEVEL", flag "log-level" Everywhere,
            aliases ["IMMICH_LOG_LEVEL" => aliases::immich_log_level]);
        /// `text` for people, `json` for one object per line.
        format: LogFormat = LogFormat::Text,
            ("VIEWFINDER_LOG_FORMAT", flag "log-format" Everywhere);
        /// When to colour the log: auto, always, never.
        colour: LogColour = LogColour::Auto,
            ("VIEWFINDER_LOG_COLOUR", flag "colour" Everywhere, aliases ["NO_COLOR" => aliases::no_color]);
    }

    /// Where models are kept, and where they come from.
    [store] StoreSettings {
        /// Folder of downloaded models. Without it, the user's data folder. Models that came with the program, in `models`
        /// beside it, are used where they lie.
        root: Option<PathBuf> = None,
            ("VIEWFINDER_MODELS", flag "store" Everywhere, example "/var/lib/viewfinder/models");
        /// Never use the network: what is not on this machine is missing.
        offline: bool = false,
            ("VIEWFINDER_OFFLINE", flag "offline" Everywhere, aliases ["HF_HUB_OFFLINE"]);
        /// Models that a request may have fetched: `known`, those of this configuration, those that a stock Immich asks for, and those that
        /// were fetched before; or `any` that Viewfinder knows, about 100, for whoever can reach the port.
        on_request: FetchOnRequest = FetchOnRequest::Known,
            ("VIEWFINDER_STORE_ON_REQUEST", flag "on-request" Serve);
        /// Model caches in Immich's own layout, used in place and never written to, before anything is downloaded.
        immich_caches: Vec<PathBuf> = Vec::new(),
            ("VIEWFINDER_IMMICH_CACHES", aliases ["MACHINE_LEARNING_CACHE_FOLDER"],
            example "[\"/cache\"]");
        /// Address of a Hugging Face mirror.
        hf_endpoint: Option<String> = None,
            ("VIEWFINDER_HF_ENDPOINT", aliases ["HF_ENDPOINT"],
            example "https://mirror.example");
        /// Token for Hugging Face, for models that want one.
        hf_token: Option<Secret> = None,
            ("VIEWFINDER_HF_TOKEN", aliases ["HF_TOKEN"], example "hf_…");
        /// Address of a ModelScope mirror.
        modelscope_endpoint: Option<String> = None,
            ("VIEWFINDER_MODELSCOPE_ENDPOINT", example "https://mirror.example");
        /// Address of a GitHub mirror.
        github_endpoint: Option<String> = None,
            ("VIEWFINDER_GITHUB_ENDPOINT", example "https://mirror.example");
    }

    /// How text is read.
    [ocr] OcrSettings {
        /// OCR model of the command line, of MT Photos and of the older Go gateway. Immich names its own.
        model: String = "PP-OCRv6_small".to_owned(),
            ("VIEWFINDER_OCR_MODEL");
        /// Rules of the command line's and the status page's OCR: viewfinder, rapidocr or immich.
        profile: OcrProfile = OcrProfile::Viewfinder,
            ("VIEWFINDER_OCR_PROFILE");
    }

    /// How faces are found and told apart.
    [faces] FacesSettings {
        /// Face pack of the command line and of MT Photos: buffalo_l, buffalo_m, buffalo_s or antelopev2.
        /// Immich names its own. The weights may be used for non-commercial research only.
        model: String = "buffalo_l".to_owned(),
            ("VIEWFINDER_FACES_MODEL", aliases ["RECOGNITION_MODEL"]);
        /// Least score of a face, 0 to 1, for the command line and MT Photos. Immich sends its own.
        min_score: f32 = 0.65,
            ("VIEWFINDER_FACES_MIN_SCORE", aliases ["DETECTION_THRESH"]);
        /// Least cosine between the vectors of two faces of one person, when faces in a catalogue are grouped.
        same_person: f32 = 0.5,
            ("VIEWFINDER_FACES_SAME_PERSON");
    }

    /// Which models turn pictures and sentences into vectors.
    [clip] ClipSettings {
        /// CLIP model of the command line and of MT Photos. Immich names its own; see `aliases`.
        model: String = "cn-clip/ViT-B-16".to_owned(),
            ("VIEWFINDER_CLIP_MODEL", aliases ["CLIP_MODEL" => aliases::clip_model]);
        /// CLIP model of sentences, where it is not `clip.model`: the same in another precision, such as
        /// cn-clip/ViT-B-16@int8 for pictures and cn-clip/ViT-B-16 for sentences.
        text_model: Option<String> = None,
            ("VIEWFINDER_CLIP_TEXT_MODEL", example "cn-clip/ViT-B-16");
        /// Least cosine between a model in another precision and the published one at which the vectors of one may search
        /// those of the other, as measured when it was made.
        least_cosine: f32 = 0.99,
            ("VIEWFINDER_CLIP_LEAST_COSINE");
    }

    /// Where what was found in folders is kept.
    [catalog] CatalogSettings {
        /// File of the catalogue of indexed folders. Without it, catalog.db in the user's data folder.
        file: Option<PathBuf> = None,
            ("VIEWFINDER_CATALOG_FILE", example "/var/lib/viewfinder/catalog.db");
        /// PostgreSQL database of the catalogue, in place of a file. It needs the pgvector extension.
        url: Option<Secret> = None,
            ("VIEWFINDER_CATALOG_URL", example "postgres://user:password@host/database");
        /// Text search configuration of that database, such as zhparser's, whose words are found beside Viewfinder's own.
        text_search_config: Option<String> = None,
            ("VIEWFINDER_CATALOG_TEXT_SEARCH_CONFIG", example "chinese");
        /// Words that the cutting of Chinese text into words shall know: one a line, perhaps with a frequency and a part of
        /// speech, as for jieba.
        user_dictionary: Option<PathBuf> = None,
            ("VIEWFINDER_CATALOG_USER_DICTIONARY", example "/etc/viewfinder/words.txt");
        /// Folder of the small pictures that the page of photos shows. Without it, thumbnails in the user's data folder.
        thumbnails: Option<PathBuf> = None,
            ("VIEWFINDER_CATALOG_THUMBNAILS", example "/var/cache/viewfinder/thumbnails");
        /// Bytes of all small pictures together; the oldest make room.
        thumbnail_bytes: u64 = 2_000_000_000,
            ("VIEWFINDER_CATALOG_THUMBNAIL_BYTES");
    }

    /// When a picture that shows what was asked for is an answer.
    [search] SearchSettings {
        /// Pictures are found by what they show if their similarity to the words lies at least so many deviations above that
        /// of other pictures.
        similarity_floor: f32 = Similarity::default().floor,
            ("VIEWFINDER_SEARCH_SIMILARITY_FLOOR");
        /// And if it lies at least at this part of the most similar picture's, 0 to 1.
        similarity_share: f32 = Similarity::default().share,
            ("VIEWFINDER_SEARCH_SIMILARITY_SHARE");
        /// Relevance of a picture that shows exactly what was asked for, beside 1 for text that says it.
        similarity_weight: f32 = Similarity::default().weight,
            ("VIEWFINDER_SEARCH_SIMILARITY_WEIGHT");
    }

    /// What is looked for in folders.
    [index] IndexSettings {
        /// What `viewfinder index` looks for: ocr, clip, faces.
        kinds: Vec<Kind> = vec![Kind::Ocr, Kind::Clip, Kind::Faces],
            ("VIEWFINDER_INDEX_KINDS");
        /// Also index what links in the folders lead to elsewhere, and show it. Whoever can put a link into such a folder can then have
        /// any picture shown that Viewfinder may read.
        follow_links: bool = false,
            ("VIEWFINDER_INDEX_FOLLOW_LINKS");
    }

    /// Who sees the page of photos.
    [web] WebSettings {
        /// Who sees the photos on an address without a key: `token`, whoever has the key of `viewfinder open` or one of `viewfinder key new`;
        /// or `loopback`, whoever seems to sit at this machine too. Behind a proxy on this machine, `loopback` shows your photos to
        /// everybody whom the proxy lets in.
        open_to: OpenTo = OpenTo::Token,
            ("VIEWFINDER_WEB_OPEN_TO");
    }

    /// What differs for Immich's requests.
    [immich] ImmichSettings {
        /// OCR rules for Immich.
        ocr_profile: OcrProfile = OcrProfile::Immich,
            ("VIEWFINDER_IMMICH_OCR_PROFILE");
    }

    /// The way to an Immich server that gains by it.
    [companion] CompanionSettings {
        /// Address of an Immich server that is opened through Viewfinder, which adds to it: `ocr:` in its search, and entries in
        /// its menus. Without it, there is no companion.
        immich_url: Option<String> = None,
            ("VIEWFINDER_COMPANION_IMMICH_URL", example "http://immich-server:2283");
        /// Certificates (PEM) of authorities that may sign that of an Immich with https. Without it, the public ones.
        immich_ca_file: Option<PathBuf> = None,
            ("VIEWFINDER_COMPANION_IMMICH_CA_FILE", example "my-ca.pem");
        /// Immich's PostgreSQL database. With it, Viewfinder searches and ranks by itself, and text and vectors of single photos
        /// can be done again. Without it, Immich itself searches for text. A schema `viewfinder` is made in it, and nothing else.
        database_url: Option<Secret> = None,
            ("VIEWFINDER_COMPANION_DATABASE_URL",
            example "postgres://postgres:password@database/immich");
        /// Immich's folder of media as it is seen here. With it and the database, text that Immich does not read itself, because it is older
        /// than v2.2 or its OCR is off, is read from the previews.
        media: Option<PathBuf> = None,
            ("VIEWFINDER_COMPANION_MEDIA", example "/data");
        /// What paths of that folder begin with in the database. Without it, Immich's own word in the database, or `upload`.
        media_prefix: Option<String> = None,
            ("VIEWFINDER_COMPANION_MEDIA_PREFIX", example "/data");
        /// API keys of Immich's users, where its database is out of reach: each user's pictures are listed and their previews read with
        /// their own key, and what is found is kept in a catalogue of theirs. A key needs asset.read, asset.view and user.read.
        api_keys: Vec<Secret> = Vec::new(),
            ("VIEWFINDER_COMPANION_API_KEYS",
            example "one key for each user, from Immich's account settings");
        /// The folder of these catalogues. Without it: `immich` in the data folder.
        catalogs: Option<PathBuf> = None,
            ("VIEWFINDER_COMPANION_CATALOGS", example "/data/immich");
        /// The file of what people asked to be done again and is not done yet, so that it goes on after a restart. Without it:
        /// `immich/jobs-….json` in the data folder, with a short hash of `immich_url`: one file for each Immich.
        jobs: Option<PathBuf> = None,
            ("VIEWFINDER_COMPANION_JOBS", example "/data/immich/jobs.json");
        /// Text search configuration of that database, such as zhparser's, whose words are found beside Viewfinder's own.
        text_search_config: Option<String> = None,
            ("VIEWFINDER_COMPANION_TEXT_SEARCH_CONFIG", example "chinese");
        /// Addresses at which people open Immich, as HOST:PORT.
        listen: Vec<String> = vec!["[::]:2284".to_owned()],
            ("VIEWFINDER_COMPANION_LISTEN");
        /// Adds a script to Immich's pages, for the entries in menus and for marks on text that was searched for.
        script: bool = true,
            ("VIEWFINDER_COMPANION_SCRIPT");
        /// Seconds for an answer to a search; past it, Immich answers by itself.
        search_time: Duration = Duration::from_secs(3),
            ("VIEWFINDER_COMPANION_SEARCH_TIME");
        /// Seconds that a connection to Immich may take to stand. Its answers may take as long as they like.
        connect_time: Duration = Duration::from_secs(5),
            ("VIEWFINDER_COMPANION_CONNECT_TIME");
        /// Connections at once to each of these addresses. When they run short, those that wait for a request are closed first. Fewer
        /// where the system allows this program fewer open files.
        connections: usize = 4096,
            ("VIEWFINDER_COMPANION_CONNECTIONS");
    }

    /// What differs for MT Photos' requests.
    [mt_photos] MtPhotosSettings {
        /// OCR rules for MT Photos and the older Go gateway.
        ocr_profile: OcrProfile = OcrProfile::RapidOcr,
            ("VIEWFINDER_MT_PHOTOS_OCR_PROFILE");
    }

    /// What computes, and how much of it at once.
    [engine] EngineSettings {
        /// The ONNX Runtime library to load. Without it: the store's, then what came with the program, then the system's, then a download.
        library: Option<PathBuf> = None,
            ("VIEWFINDER_ORT_LIB", flag "library" Everywhere, aliases ["ORT_DYLIB_PATH"],
            example "/usr/lib/libonnxruntime.so");
        /// What computes: auto, cpu, cuda, tensorrt, openvino, coreml, directml, rocm. With cuda and tensorrt, text is still read on
        /// the CPU, which is faster there.
        device: Device = Device::Auto,
            ("VIEWFINDER_DEVICE", flag "device" Everywhere, aliases ["DEVICE" => aliases::device]);
        /// Which of several accelerators, counted from 0.
        device_id: u32 = 0,
            ("VIEWFINDER_DEVICE_ID", flag "device-id" Everywhere,
            aliases ["OCR_CUDA_DEVICE_ID", "MACHINE_LEARNING_DEVICE_IDS" => aliases::device_ids, "MACHINE_LEARNING_DEVICE_ID"]);
        /// Compute on the CPU when the chosen accelerator cannot be used. Without it, that is an error.
        cpu_fallback: bool = false,
            ("VIEWFINDER_CPU_FALLBACK", flag "cpu-fallback" Everywhere);
        /// Pictures worked on at the same time; `auto` fits the cores.
        workers: Option<usize> = None,
            ("VIEWFINDER_WORKERS", flag "workers" Everywhere,
            aliases ["MACHINE_LEARNING_REQUEST_THREADS" => aliases::request_threads]);
        /// Threads that one picture's computation may use; `auto` fits the cores.
        threads: Option<usize> = None,
            ("VIEWFINDER_THREADS", flag "threads" Everywhere,
            aliases ["MACHINE_LEARNING_MODEL_INTRA_OP_THREADS"]);
        /// Pictures accepted at most, waiting and in work. Past it, the answer is 503 with `Retry-After`.
        queue: usize = 256,
            ("VIEWFINDER_QUEUE", flag "queue" Serve);
        /// Seconds that a picture may wait for a place in a full queue; 0 refuses it at once.
        queue_wait: Option<Duration> = None,
            ("VIEWFINDER_QUEUE_WAIT", flag "queue-wait" Serve);
        /// Seconds after which an unused model leaves memory; 0 keeps it.
        model_ttl: Option<Duration> = Some(Duration::from_mins(5)),
            ("VIEWFINDER_MODEL_TTL", flag "model-ttl" Serve,
            aliases ["SERVER_RESTART_TIME" => aliases::model_ttl, "MACHINE_LEARNING_MODEL_TTL" => aliases::model_ttl]);
        /// Bytes of the files of all models in memory together, about what they take there. Past it, those unused for the longest leave;
        /// what is in use stays. `auto` is half of the memory that the machine or the container has.
        model_bytes: Option<usize> = None,
            ("VIEWFINDER_MODEL_BYTES", flag "model-bytes" Serve);
        /// Models to load at start, as NAME or NAME:ROLE (roles: detection, classification, recognition, visual, textual).
        preload: Vec<Preload> = Vec::new(),
            ("VIEWFINDER_PRELOAD", flag "preload" Serve,
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
            example "[\"PP-OCRv6_small\", \"cn-clip/ViT-B-16:textual\"]");
        /// Faces embedded in one call; `auto` takes all of a picture.
        max_face_batch: Option<usize> = None,
            ("VIEWFINDER_MAX_FACE_BATCH",
            aliases ["MACHINE_LEARNING_MAX_BATCH_SIZE__FACIAL_RECOGNITION"]);
    }

    /// What requests and their pictures may take.
    [limits] LimitsSettings {
        /// Bytes that one picture may have.
        max_bytes: u64 = 100_000_000,
            ("VIEWFINDER_MAX_BYTES");
        /// Pixels that one picture may have. Each takes 3 bytes of memory, more while certain files are decoded.
        max_pixels: u64 = 110_000_000,
            ("VIEWFINDER_MAX_PIXELS");
        /// Longest side that a picture may have, in pixels.
        max_side: u32 = 40_000,
            ("VIEWFINDER_MAX_SIDE");
        /// Programs that decode HEIF, RAW and videos in requests, at once. 0 lets requests start none.
        decoders: usize = 2,
            ("VIEWFINDER_DECODERS");
        /// Bytes of all requests that the server holds at once. Past it, the answer is 503.
        held_bytes: u64 = 512_000_000,
            ("VIEWFINDER_HELD_BYTES");
        /// Seconds that a request's body may take to arrive.
        body_time: Duration = Duration::from_mins(2),
            ("VIEWFINDER_BODY_TIME");
        /// Seconds that a request's head may take to arrive, and that a kept connection may be idle.
        head_time: Duration = Duration::from_mins(1),
            ("VIEWFINDER_HEAD_TIME");
        /// Seconds that a client may take to fetch an answer.
        answer_time: Duration = Duration::from_mins(1),
            ("VIEWFINDER_ANSWER_TIME");
        /// Bytes that a request's head may have, at least 8192. Past it, the answer is 431.
        head_bytes: usize = 65_536,
            ("VIEWFINDER_HEAD_BYTES");
        /// Lines that a request's head may have. Past it, the answer is 431.
        headers: usize = 100,
            ("VIEWFINDER_HEADERS");
        /// Connections at once to each address. When they run short, those that wait for a request are closed first. Fewer where
        /// the system allows this program fewer open files.
        connections: usize = 1024,
            ("VIEWFINDER_CONNECTIONS");
        /// Seconds that a node may take for one request. A first one waits for its model to be fetched and loaded.
        node_time: Duration = Duration::from_mins(4),
            ("VIEWFINDER_NODE_TIME");
        /// Seconds that a connection to a node may take to stand.
        node_connect_time: Duration = Duration::from_secs(3),
            ("VIEWFINDER_NODE_CONNECT_TIME");
    }

    /// Short forms for single nodes.
    [remote] RemoteSettings {
        /// Address of an Immich machine-learning server that gets every task which no other is for: short for a node
        /// called `immich`, without which `nodes` and `routes` say more.
        immich_api: Option<String> = None,
            ("VIEWFINDER_IMMICH_API", aliases ["IMMICH_API"], example "http://nas:3003");
        /// Address of an MT Photos AI server that gets text and CLIP: short for a node called `mt-photos`.
        mt_photos_api: Option<String> = None,
            ("VIEWFINDER_MT_PHOTOS_API", aliases ["MT_PHOTOS_API"], example "http://nas:8060");
        /// Key of that MT Photos AI server.
        mt_photos_api_key: Option<Secret> = None,
            ("VIEWFINDER_MT_PHOTOS_API_KEY", aliases ["MT_PHOTOS_API_KEY"],
            example "mt_photos_ai_extra");
    }

    /// How long pictures wait for an engine.
    [hold] HoldSettings {
        /// Seconds that a picture waits for an engine to come back when none can take it. Immich itself gives up after 300.
        time: Duration = Duration::from_secs(240),
            ("VIEWFINDER_HOLD_TIME");
        /// Bytes of all pictures that wait so. Past it, the answer is 503.
        bytes: u64 = 256_000_000,
            ("VIEWFINDER_HOLD_BYTES");
    }

    /// What is remembered of tasks that failed.
    [failures] FailuresSettings {
        /// Tasks about pictures that failed for good and are remembered; the oldest give way. 0 remembers none.
        count: usize = 1000,
            ("VIEWFINDER_FAILURES");
        /// File that keeps them when the server ends, one JSON object a line, for one server alone. Never the pictures.
        file: Option<PathBuf> = None,
            ("VIEWFINDER_FAILURES_FILE", example "/var/lib/viewfinder/failures.jsonl");
    }

    Config {
        /// Which engines get a task: clip.visual, clip.textual, facial-recognition or ocr, perhaps with `:MODEL`, or default.
        /// Engines stand in order of preference; those in brackets of their own share the work. `local` is this process.
        /// Without routes, nodes get everything, and `local` what none of them can take.
        routes: toml::Table = toml::Table::new(),
            ("", example "\"ocr\" = [[\"strong\", \"spare\"], \"local\"]");
        /// CLIP names that clients ask for, and the models that answer. Both must have vectors of the same width.
        /// A stock Immich accepts only names it knows; so it can be given Chinese-CLIP under one of them.
        aliases: BTreeMap<String, String> = BTreeMap::new(),
            ("VIEWFINDER_ALIASES", flag "alias" Serve,
            example "\"ViT-B-16__openai\" = \"cn-clip/ViT-B-16\"");
        /// Keys that every request to an address of `listen` must show, as `Authorization: Bearer`, `api-key` or `x-api-key`,
        /// MT Photos' requests too. Only `/ping` wants none. Addresses that are not named here are open.
        /// A key is written as such or kept in a file, { file = "…" }; in the environment as ADDRESS=KEY or ADDRESS=@FILE.
        listen_keys: BTreeMap<String, KeySource> = BTreeMap::new(),
            ("VIEWFINDER_LISTEN_KEYS",
            example "\"[::]:8443\" = { file = \"/run/secrets/viewfinder\" }");
        /// Other engines that can be given tasks. Their kinds: viewfinder, immich-ml (Immich's own server), mt-photos.
        /// MT Photos' protocol names no models: such a node answers with its own, whichever is asked for. Give it only tasks
        /// that this is right for, such as `clip.visual:cn-clip/ViT-B-16` and clip.textual with the same. Least scores are
        /// kept here, on its answers.
        nodes: Vec<NodeEntry> = Vec::new(),
            ("", example "\
[[nodes]]
name = \"strong\"
kind = \"viewfinder\"
url = \"https://gaming-pc:8443\"
key_file = \"strong.key\"  # or key = \"…\"
ca_file = \"my-ca.pem\"   # authorities that may sign its certificate; without it, the public ones");
        /// Models of your own, of a known family: paddle-ocr, insight-face, chinese-clip, open-clip, m-clip or nllb.
        /// The folder holds detection/model.onnx, recognition/model.onnx, visual/model.onnx or textual/model.onnx.
        models: Vec<toml::Table> = Vec::new(),
            ("", example "\
[[models]]
name = \"my-ocr\"
family = \"paddle-ocr\"
sources = [{ file = \"/srv/models/my-ocr\" }]");
    }
}
