use crate::RgbImage;

/// How a stored picture has to be turned to be seen upright: the eight values of the EXIF orientation tag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Orientation {
    /// 1: upright as stored.
    #[default]
    Normal,
    /// 2: mirror left and right.
    FlipHorizontal,
    /// 3: half a turn.
    Rotate180,
    /// 4: mirror top and bottom.
    FlipVertical,
    /// 5: mirror along the diagonal from top left to bottom right.
    Transpose,
    /// 6: a quarter turn clockwise.
    Rotate90,
    /// 7: mirror along the diagonal from top right to bottom left.
    Transverse,
    /// 8: a quarter turn counter-clockwise.
    Rotate270,
}

impl Orientation {
    /// The orientation for a tag value; `None` unless it is 1 to 8.
    pub fn from_exif(value: u32) -> Option<Self> {
        Some(match value {
            1 => Self::Normal,
            2 => Self::FlipHorizontal,
            3 => Self::Rotate180,
            4 => Self::FlipVertical,
            5 => Self::Transpose,
            6 => Self::Rotate90,
            7 => Self::Transverse,
            8 => Self::Rotate270,
            _ => return None,
        })
    }

    /// Whether width and height change places.
    pub fn swaps_sides(self) -> bool {
        matches!(self, Self::Transpose | Self::Rotate90 | Self::Transverse | Self::Rotate270)
    }

    /// Turns `image` upright. Costs nothing for [`Orientation::Normal`].
    pub fn apply(self, image: RgbImage) -> RgbImage {
        match self {
            Self::Normal => image,
            Self::FlipHorizontal => rearrange(&image, false, true, false),
            Self::Rotate180 => rearrange(&image, false, true, true),
            Self::FlipVertical => rearrange(&image, false, false, true),
            Self::Transpose => rearrange(&image, true, false, false),
            Self::Rotate90 => rearrange(&image, true, false, true),
            Self::Transverse => rearrange(&image, true, true, true),
            Self::Rotate270 => rearrange(&image, true, true, false),
        }
    }
}

/// Side of the square tiles in which sides are swapped, so that the strided reads of a tile stay in cache.
const TILE: usize = 32;

/// Copies every pixel to its place after an optional exchange of the axes. The flips say in which direction
/// the *source* is walked: along its rows from the right, along its columns from the bottom.
pub(crate) fn rearrange(image: &RgbImage, swap: bool, from_right: bool, from_bottom: bool) -> RgbImage {
    let (source_width, source_height) = (image.width(), image.height());
    let source = image.data();
    let start_x = if from_right { source_width.saturating_sub(1) } else { 0 };
    let start_y = if from_bottom { source_height.saturating_sub(1) } else { 0 };
    let step_x = if from_right { -3 } else { 3 };
    let step_y = source_width as isize * if from_bottom { -3 } else { 3 };
    let (width, height, along_row, along_column) = if swap {
        (source_height, source_width, step_y, step_x)
    } else {
        (source_width, source_height, step_x, step_y)
    };
    let start = ((start_y * source_width + start_x) * 3) as isize;
    let mut data = vec![0; source.len()];
    for tile_y in (0..height).step_by(TILE) {
        for tile_x in (0..width).step_by(TILE) {
            let columns = TILE.min(width - tile_x);
            for y in tile_y..(tile_y + TILE).min(height) {
                let mut from = start + y as isize * along_column + tile_x as isize * along_row;
                let at = (y * width + tile_x) * 3;
                for pixel in data[at..at + columns * 3].chunks_exact_mut(3) {
                    pixel.copy_from_slice(&source[from as usize..from as usize + 3]);
                    from += along_row;
                }
            }
        }
    }
    RgbImage::from_raw(width, height, data)
}
