//! Pages for people whose browser cannot be given what it asks for: what is wrong, and what to do, in their language.
//!
//! Programs get the same refusal as data. Nothing on these pages depends on where a request seems to come from.
mod words;

use axum::{
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};

use self::words::{Words, words};

/// As that of other pages, but the style stands in the page: to a name that nobody knows, no file is given. What a request
/// says is shown as text only.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// That of all pages, and what this one has beside it.
const STYLE: &str = concat!(include_str!("../page/base.css"), include_str!("style.css"));

/// What somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice<'a> {
    /// Photos are shown to whoever has a key. The page signs in by `POST /api/v1/session`.
    PhotosWantKey,
    /// The address wants its own key. The page signs in likewise.
    AddressWantsKey,
    /// Too many wrong keys came from there.
    TooManyTries,
    /// Nobody said that this server has this name.
    UnknownName(&'a str),
    /// There is no such page.
    NotFound,
    /// Programs send something here.
    NoPage,
}

impl Notice<'_> {
    fn status(self) -> StatusCode {
        match self {
            Self::PhotosWantKey | Self::AddressWantsKey => StatusCode::UNAUTHORIZED,
            Self::TooManyTries => StatusCode::TOO_MANY_REQUESTS,
            Self::UnknownName(_) => StatusCode::MISDIRECTED_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::NoPage => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    fn title(self, words: &Words) -> &'static str {
        match self {
            Self::PhotosWantKey | Self::AddressWantsKey => words.key_title,
            Self::TooManyTries => words.tries_title,
            Self::UnknownName(_) => words.name_title,
            Self::NotFound => words.missing_title,
            Self::NoPage => words.program_title,
        }
    }

    fn body(self, words: &Words) -> String {
        match self {
            Self::PhotosWantKey => {
                let how = format!(
                    "<p>{}</p>\n<pre><code>viewfinder key new</code></pre>\n<p>{}</p>",
                    words.key_how, words.key_then
                );
                format!("<p>{}</p>\n{}\n{how}", words.key_text, key_form(words))
            }
            Self::AddressWantsKey => format!("<p>{}</p>\n{}", words.key_of_address, key_form(words)),
            Self::TooManyTries => format!("<p>{}</p>", words.tries_text),
            Self::UnknownName(name) => {
                let name = escaped(name);
                format!(
                    "<p>{}</p>\n<pre><code>[server]\nhosts = [\"{name}\"]</code></pre>\n<p>{}</p>",
                    words.name_text.replace("{name}", &format!("<b>{name}</b>")),
                    words.name_stranger
                )
            }
            Self::NotFound => format!("<p>{}</p>\n{}", words.missing_text, links(words)),
            Self::NoPage => format!("<p>{}</p>\n{}", words.program_text, links(words)),
        }
    }
}

/// Is it a browser that asks, for a page?
pub fn wants_page(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(header::ACCEPT).iter();
    accepted.any(|accept| accept.as_bytes().windows(9).any(|part| part == b"text/html"))
}

/// The page, with its status.
pub fn notice(headers: &HeaderMap, notice: Notice<'_>) -> Response {
    let words = words(headers);
    let page = include_str!("page.html")
        .replace("{lang}", words.lang)
        .replace("{title}", notice.title(words))
        .replace("{style}", STYLE)
        // Last, for it may hold what a request says.
        .replacen("{body}", &notice.body(words), 1);
    let headers: [(HeaderName, &'static str); 6] = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::VARY, "accept, accept-language"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (notice.status(), headers, page).into_response()
}

fn key_form(words: &Words) -> String {
    let Words { key, enter, wrong, tries_text, offline, script, .. } = words;
    format!(
        "<form id=\"key-form\" data-wrong=\"{wrong}\" data-tries=\"{tries_text}\" data-offline=\"{offline}\">\n\
         <input type=\"text\" value=\"viewfinder\" autocomplete=\"username\" hidden>\n\
         <label for=\"key\">{key}</label>\n\
         <input id=\"key\" type=\"password\" autocomplete=\"current-password\" required autofocus aria-describedby=\"key-problem\">\n\
         <button>{enter}</button>\n\
         <p id=\"key-problem\" class=\"problem\" role=\"alert\"></p>\n\
         </form>\n<noscript><p>{script}</p></noscript>\n<script src=\"/ui/key.js\"></script>"
    )
}

fn links(words: &Words) -> String {
    format!("<p><a href=\"/photos\">{}</a> · <a href=\"/\">{}</a></p>", words.photos, words.status)
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_a_request_says_stays_text() {
        let words = words(&HeaderMap::new());
        let body = Notice::UnknownName("<script>alert('1')</script>&{title}").body(words);
        assert!(!body.contains("<script") && body.contains("&lt;script&gt;alert(&#39;1&#39;)"), "{body}");
    }
}
