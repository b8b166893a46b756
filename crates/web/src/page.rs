//! The page's files.
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Name, type and contents of each file.
pub(crate) const FILES: [(&str, &str, &str); 9] = [
    ("/photos", "text/html; charset=utf-8", include_str!("page/index.html")),
    ("/photos/style.css", "text/css; charset=utf-8", include_str!("page/style.css")),
    ("/photos/main.js", JAVASCRIPT, include_str!("page/main.js")),
    ("/photos/api.js", JAVASCRIPT, include_str!("page/api.js")),
    ("/photos/dom.js", JAVASCRIPT, include_str!("page/dom.js")),
    ("/photos/grid.js", JAVASCRIPT, include_str!("page/grid.js")),
    ("/photos/overlay.js", JAVASCRIPT, include_str!("page/overlay.js")),
    ("/photos/viewer.js", JAVASCRIPT, include_str!("page/viewer.js")),
    ("/photos/words.js", JAVASCRIPT, include_str!("page/words.js")),
];
