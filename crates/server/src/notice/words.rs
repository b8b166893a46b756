//! What the notices say, in the languages of the other pages.
use axum::http::{HeaderMap, header};

/// Everything in one language. `{name}` in `name_text` is the name that was asked for.
pub(super) struct Words {
    pub(super) lang: &'static str,
    pub(super) key_title: &'static str,
    pub(super) key_text: &'static str,
    pub(super) key_of_address: &'static str,
    pub(super) key_how: &'static str,
    pub(super) key_then: &'static str,
    pub(super) key: &'static str,
    pub(super) enter: &'static str,
    pub(super) wrong: &'static str,
    pub(super) offline: &'static str,
    pub(super) script: &'static str,
    pub(super) tries_title: &'static str,
    pub(super) tries_text: &'static str,
    pub(super) name_title: &'static str,
    pub(super) name_text: &'static str,
    pub(super) name_stranger: &'static str,
    pub(super) missing_title: &'static str,
    pub(super) missing_text: &'static str,
    pub(super) program_title: &'static str,
    pub(super) program_text: &'static str,
    pub(super) photos: &'static str,
    pub(super) status: &'static str,
}

const ENGLISH: Words = Words {
    lang: "en",
    key_title: "A key opens this page",
    key_text: "Photos are shown only to people who have a key.",
    key_of_address: "This address has a key of its own. Ask whoever set up Viewfinder for it; it stands in the setting listen_keys.",
    key_how: "To get one, run this on the machine that Viewfinder runs on:",
    key_then: "It shows an address and a QR code that open this page. On that machine itself, <code>viewfinder open</code> is enough.",
    key: "Key",
    enter: "Open",
    wrong: "That is not the key",
    offline: "No connection to Viewfinder",
    script: "Turn on JavaScript to enter the key here.",
    tries_title: "Too many wrong keys",
    tries_text: "Too many wrong keys. Try again in a minute.",
    name_title: "Viewfinder does not know this name",
    name_text: "You opened it as {name}. If this name is yours, add it to Viewfinder’s configuration, and start Viewfinder again:",
    name_stranger: "If you did not expect this, close the page.",
    missing_title: "There is no such page",
    missing_text: "Viewfinder has nothing at this address.",
    program_title: "This address is for programs",
    program_text: "Programs send something here. There is nothing to look at.",
    photos: "Photos",
    status: "Status",
};

const CHINESE: Words = Words {
    lang: "zh-CN",
    key_title: "打开此页面需要密钥",
    key_text: "只有持有密钥的人才能查看照片。",
    key_of_address: "此地址设有专用密钥（设置项 listen_keys），请向部署 Viewfinder 的人索取。",
    key_how: "如需密钥，请在运行 Viewfinder 的机器上执行：",
    key_then: "命令会显示可打开此页面的网址和二维码。如果就在那台机器上，执行 <code>viewfinder open</code> 即可。",
    key: "密钥",
    enter: "打开",
    wrong: "密钥不正确",
    offline: "无法连接 Viewfinder",
    script: "请启用 JavaScript，然后在此输入密钥。",
    tries_title: "密钥错误次数过多",
    tries_text: "密钥错误次数过多，请一分钟后再试。",
    name_title: "Viewfinder 不认识这个域名",
    name_text: "你访问的域名是 {name}。如果它是你的，请将其加入 Viewfinder 的配置，然后重启 Viewfinder：",
    name_stranger: "如果不清楚为什么会看到此页面，请关闭它。",
    missing_title: "没有这个页面",
    missing_text: "Viewfinder 在此地址没有任何内容。",
    program_title: "此地址供程序使用",
    program_text: "程序会向此地址发送数据，这里没有可查看的内容。",
    photos: "照片",
    status: "状态",
};

const SPANISH: Words = Words {
    lang: "es",
    key_title: "Esta página se abre con una clave",
    key_text: "Las fotos solo se muestran a quien tiene una clave.",
    key_of_address: "Esta dirección tiene su propia clave (ajuste listen_keys). Pídela a quien instaló Viewfinder.",
    key_how: "Para obtener una, ejecuta esto en la máquina donde funciona Viewfinder:",
    key_then: "Muestra una dirección y un código QR que abren esta página. En esa misma máquina basta con <code>viewfinder open</code>.",
    key: "Clave",
    enter: "Abrir",
    wrong: "Esa no es la clave",
    offline: "Sin conexión con Viewfinder",
    script: "Activa JavaScript para escribir aquí la clave.",
    tries_title: "Demasiadas claves incorrectas",
    tries_text: "Demasiadas claves incorrectas. Inténtalo de nuevo en un minuto.",
    name_title: "Viewfinder no conoce este nombre",
    name_text: "Lo has abierto como {name}. Si este nombre es tuyo, añádelo a la configuración de Viewfinder y reinícialo:",
    name_stranger: "Si no esperabas ver esto, cierra la página.",
    missing_title: "Esta página no existe",
    missing_text: "Viewfinder no tiene nada en esta dirección.",
    program_title: "Esta dirección es para programas",
    program_text: "Los programas envían datos aquí. No hay nada que ver.",
    photos: "Fotos",
    status: "Estado",
};

/// Languages that a header may name; the rest are wishes of nobody.
const MOST: usize = 32;

/// Those of the language that a browser prefers (RFC 9110, 12.5.4) among ours, else English.
pub(super) fn words(headers: &HeaderMap) -> &'static Words {
    let wanted =
        headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut ranges: Vec<(f32, &str)> = wanted.split(',').take(MOST).map(range).collect();
    // As sorting keeps the order of equals, the first of them wins.
    ranges.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let known = ranges.into_iter().filter(|(weight, _)| *weight > 0.0).find_map(|(_, tag)| of(tag));
    known.unwrap_or(&ENGLISH)
}

/// `es-MX;q=0.8` as weight and tag.
fn range(range: &str) -> (f32, &str) {
    let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
    let weight = parameters.trim().strip_prefix("q=").map_or(Some(1.0), |weight| weight.trim().parse().ok());
    (weight.unwrap_or(0.0), tag.trim())
}

fn of(tag: &str) -> Option<&'static Words> {
    let language = tag.split('-').next().unwrap_or_default();
    [("en", &ENGLISH), ("zh", &CHINESE), ("es", &SPANISH)]
        .into_iter()
        .find_map(|(name, words)| language.eq_ignore_ascii_case(name).then_some(words))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_browser_is_answered_in_the_language_it_likes_best() {
        for (wanted, lang) in [
            ("", "en"),
            ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
            ("ZH-Hant", "zh-CN"),
            ("de, es-MX;q=0.5, en;q=0.4", "es"),
            ("en;q=0.2, es; q=0.7", "es"),
            ("es;q=0, zh;q=x", "en"),
            ("*", "en"),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, HeaderValue::from_static(wanted))]);
            assert_eq!(words(&headers).lang, lang, "{wanted}");
        }
    }
}
