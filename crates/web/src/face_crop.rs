//! Faces cut out of their pictures, kept beside the small pictures.
use viewfinder_catalog::ContentHash;
use viewfinder_image::{RgbImage, crop, encode, resize};

use crate::thumbnail::{QUALITY, Thumbnails};

/// Pixels on a side, at most.
const SIDE: usize = 256;
/// The side of what is shown, in sides of the face: with hair, chin and ears.
const MARGIN: f32 = 1.7;
/// Faces of a picture that are cut out with the one that was asked for, because the others are asked for next.
const MOST_AT_ONCE: usize = 64;

/// The name of a face's place in its picture.
pub(crate) fn mark(corners: [f32; 4]) -> String {
    let part = |part: f32| format!("{:04x}", (part.clamp(0.0, 1.0) * f32::from(u16::MAX)).round() as u16);
    corners.map(part).concat()
}

/// A face that was cut out before.
pub(crate) fn kept(thumbnails: &Thumbnails, hash: &ContentHash, corners: [f32; 4]) -> Option<Vec<u8>> {
    thumbnails.kept_part(hash, &part(corners))
}

/// Cuts a face out of its upright picture. All of the picture's faces are cut out and kept. Blocks.
pub(crate) fn make(
    thumbnails: &Thumbnails,
    hash: &ContentHash,
    picture: &RgbImage,
    wanted: [f32; 4],
    all: &[[f32; 4]],
) -> Vec<u8> {
    for corners in all.iter().filter(|corners| **corners != wanted).take(MOST_AT_ONCE) {
        thumbnails.keep_part(hash, &part(*corners), &cut(picture, *corners));
    }
    let jpeg = cut(picture, wanted);
    thumbnails.keep_part(hash, &part(wanted), &jpeg);
    jpeg
}

fn part(corners: [f32; 4]) -> String {
    format!("face-{}", mark(corners))
}

fn cut(picture: &RgbImage, corners: [f32; 4]) -> Vec<u8> {
    let [x, y, side] = square(corners, picture.width(), picture.height());
    let face = crop(picture, x, y, side, side);
    let face = if side > SIDE { resize::bicubic(&face, SIDE, SIDE) } else { face };
    encode::jpeg(&face, QUALITY)
}

/// Left, top and side of the square around a face, within a picture of at least a pixel.
fn square(corners: [f32; 4], width: usize, height: usize) -> [usize; 3] {
    let [left, right] = [corners[0], corners[2]].map(|part| part * width as f32);
    let [top, bottom] = [corners[1], corners[3]].map(|part| part * height as f32);
    let wanted = (right - left).max(bottom - top).max(1.0) * MARGIN;
    let side = (wanted.round() as usize).clamp(1, width.min(height));
    // Where there is no room around it, the face is not in the middle.
    let start = |middle: f32, length: usize| {
        ((middle - side as f32 / 2.0).round().max(0.0) as usize).min(length - side)
    };
    [start(left.midpoint(right), width), start(top.midpoint(bottom), height), side]
}

#[cfg(test)]
mod tests {
    use viewfinder_image::{Limits, decode};

    use super::*;

    #[test]
    fn the_square_lies_around_the_face_and_within_the_picture() {
        assert_eq!(square([0.4, 0.4, 0.5, 0.6], 1000, 500), [365, 165, 170]);
        assert_eq!(square([0.0, 0.0, 0.1, 0.2], 1000, 500), [0, 0, 170]);
        assert_eq!(square([0.95, 0.9, 1.0, 1.0], 1000, 500), [915, 415, 85]);
        assert_eq!(square([0.0, 0.0, 1.0, 1.0], 1000, 500), [250, 0, 500]);
        assert_eq!(square([0.5, 0.5, 0.5, 0.5], 1000, 500), [499, 249, 2]);
        assert_eq!(square([0.2, 0.2, 0.1, 0.1], 1, 1), [0, 0, 1]);
    }

    #[test]
    fn all_faces_of_a_picture_are_cut_out_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let thumbnails = Thumbnails::new(Some(folder.path().to_owned()), 1 << 20);
        let picture = RgbImage::filled(1000, 500, [9, 99, 199]);
        let [small, large] = [[0.4, 0.4, 0.5, 0.6], [0.1, 0.1, 0.6, 0.9]];
        let hash = [3; 32];
        assert_eq!(kept(&thumbnails, &hash, large), None);
        let made = make(&thumbnails, &hash, &picture, small, &[large, small]);
        assert_eq!(kept(&thumbnails, &hash, small), Some(made));
        for (corners, side) in [(small, 170), (large, SIDE)] {
            let face = decode(&kept(&thumbnails, &hash, corners).unwrap(), &Limits::default()).unwrap();
            assert_eq!((face.width(), face.height()), (side, side));
        }
    }
}
