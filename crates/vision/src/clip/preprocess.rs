use serde::Deserialize;
use viewfinder_image::{RgbImage, crop, resize};

use super::ClipError;
use crate::{Network, Tensor};

/// Mean and standard deviation of the original CLIP, shared by Chinese-CLIP.
const OPENAI_MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
const OPENAI_STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

/// Sides outside this range are a broken configuration: real models have 224 to 512.
const SIDE_RANGE: std::ops::RangeInclusive<usize> = 1..=4096;

/// A picture longer than this many times its width (or the reverse) loses its ends before it is resized: only
/// its centre square is looked at, and the whole of it, resized, might not fit into memory.
const MAX_ASPECT: usize = 64;

/// How a picture becomes a square.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Both sides are resized to the square's, whatever the proportions (Chinese-CLIP).
    Squash,
    /// The short side is resized, then the centre is cut out (OpenCLIP, and everything else that Immich serves).
    CentreCrop,
}

/// From a picture to the tensor of a CLIP image network.
#[derive(Clone, Debug, PartialEq)]
pub struct ImagePreprocess {
    /// Side of the square in pixels.
    pub side: usize,
    /// How the square is made.
    pub fit: Fit,
    /// Per channel (R, G, B), subtracted from values in 0..=1.
    pub mean: [f32; 3],
    /// Per channel, divided by afterwards.
    pub std: [f32; 3],
}

#[derive(Deserialize)]
struct PreprocessConfig {
    size: Size,
    mean: [f32; 3],
    std: [f32; 3],
}

/// Repositories write `224` or `[224, 224]`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Size {
    One(usize),
    Many(Vec<usize>),
}

impl ImagePreprocess {
    /// Chinese-CLIP at `side` pixels: 224, or 336 for its largest vision tower.
    pub fn chinese(side: usize) -> Self {
        Self { side, fit: Fit::Squash, mean: OPENAI_MEAN, std: OPENAI_STD }
    }

    /// Reads a repository's `visual/preprocess_cfg.json`.
    ///
    /// Its `interpolation` and `resize_mode` are ignored, as Immich's server ignores them: vectors already
    /// stored were made with bicubic resizing and a centre crop, for SigLIP too.
    pub fn from_preprocess_cfg(json: &[u8]) -> Result<Self, ClipError> {
        let broken = |reason: String| ClipError::Config { file: "preprocess_cfg.json", reason };
        let config: PreprocessConfig =
            serde_json::from_slice(json).map_err(|error| broken(error.to_string()))?;
        let side = match config.size {
            Size::One(side) => side,
            Size::Many(sides) => *sides.first().ok_or_else(|| broken("the size is an empty list".into()))?,
        };
        if !SIDE_RANGE.contains(&side) {
            return Err(broken(format!("a side of {side} pixels is not plausible")));
        }
        if config.std.contains(&0.0) {
            return Err(broken("a standard deviation is zero".into()));
        }
        Ok(Self { side, fit: Fit::CentreCrop, mean: config.mean, std: config.std })
    }

    /// One picture as `[1, 3, side, side]`, channels in R, G, B order.
    pub fn tensor(&self, picture: &RgbImage) -> Result<Tensor, ClipError> {
        self.batch(&[picture])
    }

    /// Several pictures as `[N, 3, side, side]`.
    pub fn batch(&self, pictures: &[&RgbImage]) -> Result<Tensor, ClipError> {
        let plane = self.side * self.side;
        let tables = self.tables();
        let mut data = Vec::with_capacity(pictures.len() * 3 * plane);
        for picture in pictures {
            let square = self.square(picture)?;
            for (channel, table) in tables.iter().enumerate() {
                let samples = square.data().iter().skip(channel).step_by(3);
                data.extend(samples.map(|&sample| table[usize::from(sample)]));
            }
        }
        Ok(Tensor::f32([pictures.len(), 3, self.side, self.side], data))
    }

    /// The square that the network sees, before normalisation.
    pub fn square(&self, picture: &RgbImage) -> Result<RgbImage, ClipError> {
        let (width, height) = (picture.width(), picture.height());
        if width == 0 || height == 0 {
            return Err(ClipError::EmptyPicture);
        }
        Ok(match self.fit {
            Fit::Squash => resize::bicubic(picture, self.side, self.side),
            Fit::CentreCrop if width > height.saturating_mul(MAX_ASPECT) => {
                let kept = height * MAX_ASPECT;
                self.centre(&crop(picture, (width - kept) / 2, 0, kept, height))
            }
            Fit::CentreCrop if height > width.saturating_mul(MAX_ASPECT) => {
                let kept = width * MAX_ASPECT;
                self.centre(&crop(picture, 0, (height - kept) / 2, width, kept))
            }
            Fit::CentreCrop => self.centre(picture),
        })
    }

    /// Resizes the short side and cuts out the centre; every length is truncated, as Immich's server does.
    fn centre(&self, picture: &RgbImage) -> RgbImage {
        let side = self.side;
        let (width, height) = (picture.width() as f64, picture.height() as f64);
        let (resized_width, resized_height) = if width < height {
            (side, (height / width * side as f64) as usize)
        } else {
            ((width / height * side as f64) as usize, side)
        };
        let resized = resize::bicubic(picture, resized_width, resized_height);
        let offset = |length: usize| (length as f64 / 2.0 - side as f64 / 2.0) as usize;
        crop(&resized, offset(resized_width), offset(resized_height), side, side)
    }

    /// The normalised value of every sample: 256 per channel.
    fn tables(&self) -> [[f32; 256]; 3] {
        std::array::from_fn(|channel| {
            std::array::from_fn(|sample| (sample as f32 / 255.0 - self.mean[channel]) / self.std[channel])
        })
    }
}

/// Side of the square that an image network declares to take, if it declares one.
pub fn declared_side(network: &dyn Network) -> Option<usize> {
    network.inputs().first().and_then(|(_, shape)| shape.get(3).copied().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Data;

    const CONFIG: &str = r#"{"size": [4, 4], "mode": "RGB", "mean": [0.5, 0.25, 0], "std": [0.5, 0.25, 1],
        "interpolation": "bicubic", "resize_mode": "shortest", "fill_color": 0}"#;

    fn values(tensor: &Tensor) -> &[f32] {
        let Data::F32(values) = &tensor.data else { panic!("pictures are floats") };
        values
    }

    #[test]
    fn configuration_takes_a_number_or_a_list() {
        let list = ImagePreprocess::from_preprocess_cfg(CONFIG.as_bytes()).unwrap();
        let number = ImagePreprocess::from_preprocess_cfg(CONFIG.replace("[4, 4]", "4").as_bytes()).unwrap();
        assert_eq!(list, number);
        assert_eq!((list.side, list.fit), (4, Fit::CentreCrop));
    }

    #[test]
    fn broken_configurations_are_refused() {
        let broken = [
            "",
            "[]",
            &CONFIG.replace("[4, 4]", "[]"),
            &CONFIG.replace("[4, 4]", "0"),
            &CONFIG.replace("1]", "0]"),
        ];
        for json in broken {
            assert!(
                matches!(
                    ImagePreprocess::from_preprocess_cfg(json.as_bytes()),
                    Err(ClipError::Config { .. })
                ),
                "{json}"
            );
        }
    }

    #[test]
    fn channels_are_planes_in_red_green_blue_order() {
        let preprocess = ImagePreprocess::from_preprocess_cfg(CONFIG.as_bytes()).unwrap();
        let tensor = preprocess.tensor(&RgbImage::filled(9, 7, [255, 0, 51])).unwrap();
        assert_eq!(tensor.shape, [1, 3, 4, 4]);
        let values = values(&tensor);
        assert_eq!((&values[..16], &values[16..32]), (&[1.0; 16][..], &[-1.0; 16][..]));
        assert!(values[32..].iter().all(|value| (value - 0.2).abs() < 1e-6));
    }

    #[test]
    fn pictures_of_a_batch_follow_each_other() {
        let preprocess = ImagePreprocess::chinese(8);
        let (dark, light) = (RgbImage::filled(3, 5, [9; 3]), RgbImage::filled(30, 20, [200; 3]));
        let batch = preprocess.batch(&[&dark, &light]).unwrap();
        assert_eq!(batch.shape, [2, 3, 8, 8]);
        let (first, second) = values(&batch).split_at(3 * 64);
        assert_eq!(first, values(&preprocess.tensor(&dark).unwrap()));
        assert_eq!(second, values(&preprocess.tensor(&light).unwrap()));
    }

    #[test]
    fn the_centre_is_kept_and_the_ends_are_cut() {
        // Red, green and blue thirds side by side: only green is within the centre square.
        let mut picture = RgbImage::filled(30, 10, [0; 3]);
        for (at, pixel) in picture.data_mut().chunks_exact_mut(3).enumerate() {
            pixel[at % 30 / 10] = 255;
        }
        let crop = ImagePreprocess { fit: Fit::CentreCrop, ..ImagePreprocess::chinese(10) };
        assert_eq!(crop.square(&picture).unwrap(), RgbImage::filled(10, 10, [0, 255, 0]));
        let squashed = ImagePreprocess::chinese(10).square(&picture).unwrap();
        assert_eq!((squashed.pixel(0, 5), squashed.pixel(9, 5)), ([255, 0, 0], [0, 0, 255]));
    }

    #[test]
    fn extreme_proportions_stay_within_memory() {
        let crop = ImagePreprocess { fit: Fit::CentreCrop, ..ImagePreprocess::chinese(224) };
        for (width, height) in [(40_000, 1), (1, 40_000), (1, 1), (1, 64), (65, 1)] {
            let square = crop.square(&RgbImage::filled(width, height, [7; 3])).unwrap();
            assert_eq!((square.width(), square.height(), square.pixel(0, 0)), (224, 224, [7; 3]));
        }
    }

    #[test]
    fn an_empty_picture_is_an_error() {
        let empty = RgbImage::filled(0, 4, [0; 3]);
        assert!(matches!(ImagePreprocess::chinese(8).tensor(&empty), Err(ClipError::EmptyPicture)));
    }
}
