//! Names of a Chinese-CLIP's tensors: those of the `cn_clip` package, with and without flash attention, and those of Hugging
//! Face's `ChineseCLIPModel`.

/// Who named the tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    CnClip,
    /// `cn_clip`'s, from a training with flash attention. The package itself renames such weights when it saves or loads a
    /// file; a state dictionary that was saved otherwise still has these names.
    FlashAttention,
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
    /// A third of the rows of one: the first is 0.
    Third(String, usize),
}

/// Present in every checkpoint of the kind, and only there.
pub(super) const CN_CLIP_MARK: &str = "visual.conv1.weight";
pub(super) const HUGGING_FACE_MARK: &str = "vision_model.embeddings.patch_embedding.weight";

/// Present wherever there is flash attention: the text's network always has it, the picture's may be a `ResNet`.
pub(super) const FLASH_ATTENTION_MARK: &str = "bert.encoder.layer.0.attention.self.Wqkv.weight";

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

/// The text's attention: parts of one tensor with flash attention, in this order.
const QUERY_KEY_VALUE: [&str; 3] =
    [".attention.self.query.", ".attention.self.key.", ".attention.self.value."];

/// Where a tensor comes from; none if such a file never has it.
pub(super) fn origin(naming: Naming, name: &str) -> Option<Origin> {
    match naming {
        Naming::CnClip => Some(Origin::Same(name.to_owned())),
        Naming::FlashAttention => Some(flash_attention(name)),
        Naming::HuggingFace => hugging_face(name),
    }
}

fn flash_attention(name: &str) -> Origin {
    if name.starts_with(BLOCKS.0) {
        return Origin::Same(name.replace(".attn.in_proj_", ".attn.Wqkv."));
    }
    match QUERY_KEY_VALUE.iter().position(|part| name.contains(part)) {
        Some(third) => Origin::Third(name.replace(QUERY_KEY_VALUE[third], ".attention.self.Wqkv."), third),
        None => Origin::Same(name.replace(".attention.output.dense.", ".attention.self.out_proj.")),
    }
}

fn hugging_face(name: &str) -> Option<Origin> {
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
        Naming::CnClip | Naming::FlashAttention => prefix.to_owned(),
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

    #[test]
    fn names_of_flash_attention() {
        let origin = |name| origin(Naming::FlashAttention, name).unwrap();
        let same = |name: &str| Origin::Same(name.to_owned());
        for (name, expected) in [
            (
                "visual.transformer.resblocks.3.attn.in_proj_bias",
                same("visual.transformer.resblocks.3.attn.Wqkv.bias"),
            ),
            (
                "visual.transformer.resblocks.3.attn.out_proj.bias",
                same("visual.transformer.resblocks.3.attn.out_proj.bias"),
            ),
            (
                "bert.encoder.layer.11.attention.self.value.weight",
                Origin::Third("bert.encoder.layer.11.attention.self.Wqkv.weight".to_owned(), 2),
            ),
            (
                "bert.encoder.layer.0.attention.output.dense.bias",
                same("bert.encoder.layer.0.attention.self.out_proj.bias"),
            ),
            (
                "bert.encoder.layer.0.attention.output.LayerNorm.bias",
                same("bert.encoder.layer.0.attention.output.LayerNorm.bias"),
            ),
            ("bert.encoder.layer.0.output.dense.bias", same("bert.encoder.layer.0.output.dense.bias")),
            ("visual.attnpool.q_proj.weight", same("visual.attnpool.q_proj.weight")),
        ] {
            assert_eq!(origin(name), expected, "{name}");
        }
    }
}
