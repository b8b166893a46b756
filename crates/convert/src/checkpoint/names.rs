//! Names of a Chinese-CLIP's tensors: those of the `cn_clip` package, and those of Hugging Face's `ChineseCLIPModel`.

/// Who named the tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    CnClip,
    HuggingFace,
}

/// The tensors of the file that make up one tensor of `cn_clip`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The same tensor.
    Same(String),
    /// One with its two dimensions exchanged.
    Transposed(String),
    /// Several, one below the other.
    Joined([String; 3]),
}

/// Present in every checkpoint of the kind, and only there.
pub(super) const CN_CLIP_MARK: &str = "visual.conv1.weight";
pub(super) const HUGGING_FACE_MARK: &str = "vision_model.embeddings.patch_embedding.weight";

/// Single tensors, `cn_clip`'s name first.
const SINGLE: [(&str, &str); 4] = [
    ("logit_scale", "logit_scale"),
    (CN_CLIP_MARK, HUGGING_FACE_MARK),
    ("visual.class_embedding", "vision_model.embeddings.class_embedding"),
    ("visual.positional_embedding", "vision_model.embeddings.position_embedding.weight"),
];

/// Projections, which `cn_clip` keeps as matrices and Hugging Face as layers, that is, transposed.
const TRANSPOSED: [(&str, &str); 2] =
    [("visual.proj", "visual_projection.weight"), ("text_projection", "text_projection.weight")];

/// Parts with a weight and a bias (or many tensors named alike).
const PARTS: [(&str, &str); 3] = [
    // Spelt so in the original.
    ("visual.ln_pre.", "vision_model.pre_layrnorm."),
    ("visual.ln_post.", "vision_model.post_layernorm."),
    ("bert.", "text_model."),
];

/// The picture's blocks, with the number between this and the rest.
const BLOCKS: (&str, &str) = ("visual.transformer.resblocks.", "vision_model.encoder.layers.");

/// Parts of a block.
const BLOCK_PARTS: [(&str, &str); 5] = [
    ("ln_1.", "layer_norm1."),
    ("ln_2.", "layer_norm2."),
    ("attn.out_proj.", "self_attn.out_proj."),
    ("mlp.c_fc.", "mlp.fc1."),
    ("mlp.c_proj.", "mlp.fc2."),
];

/// Query, key and value, which `cn_clip` keeps as one.
const BLOCK_PACKED: [(&str, &str); 2] = [("attn.in_proj_weight", "weight"), ("attn.in_proj_bias", "bias")];

/// Where a tensor comes from; none if such a file never has it.
pub(super) fn origin(naming: Naming, name: &str) -> Option<Origin> {
    if naming == Naming::CnClip {
        return Some(Origin::Same(name.to_owned()));
    }
    if let Some(other) = exact(&SINGLE, name) {
        return Some(Origin::Same(other.to_owned()));
    }
    if let Some(other) = exact(&TRANSPOSED, name) {
        return Some(Origin::Transposed(other.to_owned()));
    }
    let Some((number, part)) = name.strip_prefix(BLOCKS.0).and_then(|rest| rest.split_once('.')) else {
        return prefixed(&PARTS, name).map(Origin::Same);
    };
    let block = |part: String| format!("{}{number}.{part}", BLOCKS.1);
    match exact(&BLOCK_PACKED, part) {
        Some(kind) => {
            let parts = ["q", "k", "v"].map(|which| block(format!("self_attn.{which}_proj.{kind}")));
            Some(Origin::Joined(parts))
        }
        None => prefixed(&BLOCK_PARTS, part).map(|part| Origin::Same(block(part))),
    }
}

/// The file's name for what numbered parts begin with: `visual.transformer.resblocks.` and such, with the last dot.
pub(super) fn numbered(naming: Naming, prefix: &str) -> String {
    match naming {
        Naming::CnClip => prefix.to_owned(),
        Naming::HuggingFace if prefix == BLOCKS.0 => BLOCKS.1.to_owned(),
        Naming::HuggingFace => prefixed(&PARTS, prefix).unwrap_or_else(|| prefix.to_owned()),
    }
}

fn exact(table: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    table.iter().find_map(|&(ours, theirs)| (ours == name).then_some(theirs))
}

fn prefixed(table: &[(&str, &str)], name: &str) -> Option<String> {
    table.iter().find_map(|(ours, theirs)| name.strip_prefix(ours).map(|rest| format!("{theirs}{rest}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_hugging_face() {
        let origin = |name| origin(Naming::HuggingFace, name);
        let same = |name: &str| Some(Origin::Same(name.to_owned()));
        assert_eq!(
            origin("bert.encoder.layer.3.output.dense.bias"),
            same("text_model.encoder.layer.3.output.dense.bias")
        );
        assert_eq!(origin("visual.ln_pre.weight"), same("vision_model.pre_layrnorm.weight"));
        assert_eq!(
            origin("visual.transformer.resblocks.11.mlp.c_proj.bias"),
            same("vision_model.encoder.layers.11.mlp.fc2.bias")
        );
        assert_eq!(origin("visual.proj"), Some(Origin::Transposed("visual_projection.weight".to_owned())));
        assert_eq!(
            origin("visual.transformer.resblocks.0.attn.in_proj_bias"),
            Some(Origin::Joined(
                ["q", "k", "v"].map(|x| format!("vision_model.encoder.layers.0.self_attn.{x}_proj.bias"))
            ))
        );
        assert_eq!(origin("visual.layer1.0.conv1.weight"), None);
        assert_eq!(origin("visual.transformer.resblocks.0.attn.Wqkv.weight"), None);
    }
}
