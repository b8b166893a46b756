//! What a checkpoint's shapes say of its network.
use crate::{ConvertError, checkpoint::Weights};

/// Width of an attention head, but for the largest vision transformer.
const HEAD: usize = 64;
/// `ViT-H-14` is 1280 wide with 16 heads.
const HUGE: (usize, usize) = (1280, 80);

/// Chinese-CLIP's two networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Architecture {
    /// The image network.
    pub vision: Vision,
    /// The text network.
    pub text: Text,
    /// Length of the vectors.
    pub embedding: usize,
}

/// The image network's kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vision {
    /// A transformer over patches.
    Transformer(VisionTransformer),
    /// Convolutions.
    ResNet(ResNet),
}

/// A transformer over patches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisionTransformer {
    /// Height and width of the picture in pixels.
    pub side: usize,
    /// Height and width of a patch in pixels.
    pub patch: usize,
    /// Channels of a token.
    pub width: usize,
    /// Blocks.
    pub layers: usize,
    /// Heads of attention.
    pub heads: usize,
}

/// CLIP's modified `ResNet`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResNet {
    /// Height and width of the picture in pixels.
    pub side: usize,
    /// Channels behind the stem.
    pub width: usize,
    /// Bottlenecks of each of the four stages.
    pub blocks: [usize; 4],
    /// Heads of the attention that pools.
    pub heads: usize,
}

/// BERT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Known tokens.
    pub vocabulary: usize,
    /// Places for which there is a vector: the longest sentence.
    pub positions: usize,
    /// Channels of a token.
    pub width: usize,
    /// Channels inside the feed-forward part.
    pub inner: usize,
    /// Blocks.
    pub layers: usize,
    /// Heads of attention.
    pub heads: usize,
}

impl Architecture {
    /// Reads the architecture off the weights' shapes.
    ///
    /// Shapes do not tell the number of attention heads. All published sizes have heads of 64 channels, but for
    /// `ViT-H-14`'s 80 in the image network; of others, the text network's must be told.
    pub fn of(weights: &Weights, text_heads: Option<usize>) -> Result<Self, ConvertError> {
        let [text_width, embedding] = shape(weights, "text_projection")?;
        let vision = if weights.contains("visual.layer1.0.conv1.weight") {
            Vision::ResNet(resnet(weights)?)
        } else {
            Vision::Transformer(transformer(weights)?)
        };
        let [vocabulary, _] = shape(weights, "bert.embeddings.word_embeddings.weight")?;
        let [positions, _] = shape(weights, "bert.embeddings.position_embeddings.weight")?;
        let [inner, _] = shape(weights, "bert.encoder.layer.0.intermediate.dense.weight")?;
        let text = Text {
            vocabulary,
            positions,
            width: text_width,
            inner,
            layers: weights.layers("bert.encoder.layer")?,
            heads: text_heads.unwrap_or(text_width / HEAD),
        };
        let found = Self { vision, text, embedding };
        if found.size().is_none() && text_heads.is_none() {
            return Err(ConvertError::Architecture(
                "it is none of the published sizes, so the number of its text network's attention heads is unknown".into(),
            ));
        }
        found.check()?;
        Ok(found)
    }

    /// The published size this is, if it is one.
    pub fn size(&self) -> Option<&'static str> {
        let text = (self.text.width, self.text.layers);
        match (&self.vision, text, self.embedding) {
            (Vision::ResNet(ResNet { side: 224, width: 64, blocks: [3, 4, 6, 3], .. }), (768, 3), 1024) => {
                Some("RN50")
            }
            (Vision::Transformer(vision), text, embedding) => {
                let vision = (vision.side, vision.patch, vision.width, vision.layers);
                match (vision, text, embedding) {
                    ((224, 16, 768, 12), (768, 12), 512) => Some("ViT-B-16"),
                    ((224, 14, 1024, 24), (768, 12), 768) => Some("ViT-L-14"),
                    ((336, 14, 1024, 24), (768, 12), 768) => Some("ViT-L-14-336"),
                    ((224, 14, 1280, 32), (1024, 24), 1024) => Some("ViT-H-14"),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Refuses what no network can be built from.
    fn check(&self) -> Result<(), ConvertError> {
        let odd = |what: String| Err(ConvertError::Architecture(what));
        let image = match &self.vision {
            Vision::Transformer(vision) => ("image", vision.layers, vision.width, vision.heads),
            Vision::ResNet(resnet) => {
                let fewest = resnet.blocks.into_iter().min().unwrap_or(0);
                ("image", fewest, resnet.width * 32, resnet.heads)
            }
        };
        let text = ("text", self.text.layers, self.text.width, self.text.heads);
        for (name, layers, width, heads) in [image, text] {
            if layers == 0 {
                return odd(format!("the {name} model has no layers"));
            }
            if heads == 0 || !width.is_multiple_of(heads) {
                return odd(format!(
                    "the {name} model is {width} wide, which {heads} attention heads do not divide"
                ));
            }
        }
        Ok(())
    }
}

fn transformer(weights: &Weights) -> Result<VisionTransformer, ConvertError> {
    let [width, _, patch, _] = shape(weights, "visual.conv1.weight")?;
    let [tokens, _] = shape(weights, "visual.positional_embedding")?;
    let grid = grid(tokens, "visual.positional_embedding")?;
    let layers = weights.layers("visual.transformer.resblocks")?;
    let head = if width == HUGE.0 { HUGE.1 } else { HEAD };
    Ok(VisionTransformer { side: grid * patch, patch, width, layers, heads: width / head })
}

fn resnet(weights: &Weights) -> Result<ResNet, ConvertError> {
    let [width, _, _, _] = shape(weights, "visual.conv3.weight")?;
    let [tokens, channels] = shape(weights, "visual.attnpool.positional_embedding")?;
    let grid = grid(tokens, "visual.attnpool.positional_embedding")?;
    let mut blocks = [0; 4];
    for (stage, count) in blocks.iter_mut().enumerate() {
        *count = weights.layers(&format!("visual.layer{}", stage + 1))?;
    }
    Ok(ResNet { side: grid * 32, width, blocks, heads: channels / HEAD })
}

/// Side of the square of tokens; one more is the class's.
fn grid(tokens: usize, name: &str) -> Result<usize, ConvertError> {
    let places = tokens.saturating_sub(1);
    let side = places.isqrt();
    if side > 0 && side * side == places {
        Ok(side)
    } else {
        Err(ConvertError::Architecture(format!("{name} has {tokens} rows, which is no square and one")))
    }
}

fn shape<const N: usize>(weights: &Weights, name: &str) -> Result<[usize; N], ConvertError> {
    let shape = weights.shape(name)?;
    <[usize; N]>::try_from(shape.as_slice())
        .map_err(|_| ConvertError::Architecture(format!("{name} has {} axes, not {N}", shape.len())))
}
