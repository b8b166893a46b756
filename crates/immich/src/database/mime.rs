/// The type of a file by the end of its name, as Immich's server tells it: its own names for raw pictures included.
pub(crate) fn of(name: &str) -> String {
    let end = std::path::Path::new(name).extension().and_then(|end| end.to_str()).unwrap_or_default();
    let end = end.to_ascii_lowercase();
    match end.as_str() {
        "insp" | "jpe" | "jpeg" | "jpg" => "image/jpeg".into(),
        "tif" | "tiff" => "image/tiff".into(),
        "avif" | "bmp" | "gif" | "heic" | "heif" | "hif" | "jxl" | "png" | "svg" | "webp" | "jp2" => {
            format!("image/{end}")
        }
        "3fr" | "ari" | "arw" | "cap" | "cin" | "cr2" | "cr3" | "crw" | "dcr" | "dng" | "erf" | "fff"
        | "iiq" | "k25" | "kdc" | "mrw" | "nef" | "nrw" | "orf" | "ori" | "pef" | "psd" | "raf" | "raw"
        | "rw2" | "rwl" | "sr2" | "srf" | "srw" | "x3f" => format!("image/{end}"),
        "3gp" | "3gpp" => "video/3gpp".into(),
        "avi" => "video/avi".into(),
        "flv" => "video/x-flv".into(),
        "insv" | "mp4" => "video/mp4".into(),
        "m2ts" | "m2t" | "mts" => "video/mp2t".into(),
        "m4v" => "video/x-m4v".into(),
        "mkv" => "video/x-matroska".into(),
        "mov" => "video/quicktime".into(),
        "mpe" | "mpeg" | "mpg" | "vob" => "video/mpeg".into(),
        "webm" => "video/webm".into(),
        "wmv" => "video/x-ms-wmv".into(),
        "xmp" => "application/xml".into(),
        _ => "application/octet-stream".into(),
    }
}
