use serde::Deserialize;

use crate::{
    BadReply,
    reply::{Vector, finite, json},
};
use viewfinder_core::{Face, ocr::Line, ocr::Region};

/// The body of a successful `/predict`, read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// The vector of a picture or of a sentence.
    pub clip: Option<Vec<f32>>,
    /// Faces.
    pub faces: Option<FoundFaces>,
    /// Text.
    pub text: Option<FoundText>,
    /// Width and height in pixels; absent for sentences, and from some gateways.
    pub size: Option<[usize; 2]>,
}

/// Faces, as they were asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum FoundFaces {
    /// With vectors. The protocol carries no landmarks beside them: they are zero.
    Recognised(Vec<Face>),
    /// With landmarks and without vectors.
    Detected(Vec<Face>),
}

/// Text, as it was asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum FoundText {
    /// Lines of text.
    Read(RelativeLines),
    /// Regions without text, in pixels.
    Detected(Vec<Region>),
}

/// Lines of text whose corners are shares of the picture's width and height.
#[derive(Clone, Debug, PartialEq)]
pub struct RelativeLines(Vec<Line>);

impl RelativeLines {
    /// The lines with corners in pixels of a picture of this size.
    pub fn in_pixels(self, [width, height]: [usize; 2]) -> Vec<Line> {
        let mut lines = self.0;
        for corner in lines.iter_mut().flat_map(|line| &mut line.corners) {
            *corner = [pixels(corner[0], width), pixels(corner[1], height)];
        }
        lines
    }
}

/// The place whose share of the side this is. The service's own corners are whole pixels, and come back exactly.
fn pixels(share: f32, side: usize) -> f32 {
    let place = f64::from(share) * side as f64;
    let whole = place.round() as f32;
    if whole / side.max(1) as f32 == share { whole } else { place as f32 }
}

impl Reply {
    /// Reads the body.
    pub fn parse(body: &[u8]) -> Result<Self, BadReply> {
        let body: Body = json(body)?;
        Ok(Self {
            clip: body.clip.map(Vector::checked).transpose()?,
            faces: body.faces.map(Faces::read).transpose()?,
            text: body.text.map(Text::read).transpose()?,
            size: body.width.zip(body.height).map(|(width, height)| [width, height]),
        })
    }
}

#[derive(Deserialize)]
struct Body {
    clip: Option<Vector>,
    #[serde(rename = "facial-recognition")]
    faces: Option<Faces>,
    #[serde(rename = "ocr")]
    text: Option<Text>,
    #[serde(rename = "imageWidth")]
    width: Option<usize>,
    #[serde(rename = "imageHeight")]
    height: Option<usize>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Faces {
    Recognised(Vec<Recognised>),
    Detected { boxes: Vec<[f32; 4]>, scores: Vec<f32>, landmarks: Vec<[[f32; 2]; 5]> },
}

#[derive(Deserialize)]
struct Recognised {
    #[serde(rename = "boundingBox")]
    bounds: Bounds,
    embedding: Vector,
    score: f32,
}

#[derive(Deserialize)]
struct Bounds {
    x1: f32,
    y1: f32,
    x2: f32,
    y2: f32,
}

impl Faces {
    fn read(self) -> Result<FoundFaces, BadReply> {
        match self {
            Self::Recognised(faces) => {
                let faces = faces.into_iter().map(Recognised::read).collect::<Result<_, _>>()?;
                Ok(FoundFaces::Recognised(faces))
            }
            Self::Detected { boxes, scores, landmarks } => {
                if boxes.len() != scores.len() || boxes.len() != landmarks.len() {
                    return Err(BadReply::new("there are not as many face boxes as scores and landmarks"));
                }
                finite(boxes.iter().flatten().chain(&scores).chain(landmarks.iter().flatten().flatten()))?;
                let faces = boxes.into_iter().zip(scores).zip(landmarks);
                Ok(FoundFaces::Detected(
                    faces
                        .map(|((bounds, score), landmarks)| Face {
                            bounds,
                            score,
                            landmarks,
                            embedding: Vec::new(),
                        })
                        .collect(),
                ))
            }
        }
    }
}

impl Recognised {
    fn read(self) -> Result<Face, BadReply> {
        let Bounds { x1, y1, x2, y2 } = self.bounds;
        let bounds = [x1, y1, x2, y2];
        finite(bounds.iter().chain([&self.score]))?;
        Ok(Face { bounds, score: self.score, landmarks: [[0.0; 2]; 5], embedding: self.embedding.checked()? })
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Read {
        text: Vec<String>,
        #[serde(rename = "box")]
        corners: Vec<f32>,
        #[serde(rename = "boxScore")]
        region_scores: Vec<f32>,
        #[serde(rename = "textScore")]
        scores: Vec<f64>,
    },
    Detected {
        boxes: Vec<[[f32; 2]; 4]>,
        scores: Vec<f32>,
    },
}

impl Text {
    fn read(self) -> Result<FoundText, BadReply> {
        match self {
            Self::Read { text, corners, region_scores, scores } => {
                let (corners, rest) = corners.as_chunks::<8>();
                if text.len() != corners.len()
                    || !rest.is_empty()
                    || text.len() != region_scores.len()
                    || text.len() != scores.len()
                {
                    return Err(BadReply::new("there are not as many texts as boxes and scores"));
                }
                finite(corners.iter().flatten().chain(&region_scores))?;
                let lines = text.into_iter().zip(corners).zip(region_scores).zip(scores);
                Ok(FoundText::Read(RelativeLines(
                    lines
                        .map(|(((text, &[x1, y1, x2, y2, x3, y3, x4, y4]), region_score), score)| Line {
                            text,
                            score,
                            region_score,
                            corners: [[x1, y1], [x2, y2], [x3, y3], [x4, y4]],
                        })
                        .collect(),
                )))
            }
            Self::Detected { boxes, scores } => {
                if boxes.len() != scores.len() {
                    return Err(BadReply::new("there are not as many boxes as scores"));
                }
                finite(boxes.iter().flatten().flatten().chain(&scores))?;
                Ok(FoundText::Detected(
                    boxes.into_iter().zip(scores).map(|(corners, score)| Region { score, corners }).collect(),
                ))
            }
        }
    }
}
