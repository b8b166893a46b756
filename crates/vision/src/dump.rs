use viewfinder_image::RgbImage;

/// A place to look at what the stages hand to each other, for finding out why a picture was read wrongly.
///
/// Stages call it only when one is given, so a normal run pays nothing. Names are file stems such as
/// `detection-map` or `crop-03`; the receiver chooses where and in which format they are kept. Calls can come
/// from several threads at once.
pub trait Dump: Sync {
    /// A picture a stage produced, such as the crop of one line.
    fn picture(&self, name: &str, picture: &RgbImage);

    /// A row-major map of values in 0…1, such as the text probability of each pixel.
    fn map(&self, name: &str, width: usize, height: usize, values: &[f32]);

    /// Anything else: boxes, scores, sizes.
    fn json(&self, name: &str, value: serde_json::Value);
}

/// Passes everything on under longer names, where a stage runs more than once for a picture.
pub(crate) struct Prefixed<'a> {
    /// What each name begins with.
    pub(crate) prefix: &'static str,
    /// The receiver.
    pub(crate) dump: &'a dyn Dump,
}

impl Dump for Prefixed<'_> {
    fn picture(&self, name: &str, picture: &RgbImage) {
        self.dump.picture(&format!("{}{name}", self.prefix), picture);
    }

    fn map(&self, name: &str, width: usize, height: usize, values: &[f32]) {
        self.dump.map(&format!("{}{name}", self.prefix), width, height, values);
    }

    fn json(&self, name: &str, value: serde_json::Value) {
        self.dump.json(&format!("{}{name}", self.prefix), value);
    }
}
