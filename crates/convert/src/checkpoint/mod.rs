//! Reading checkpoints: `PyTorch`'s zip with a pickle, and safetensors.
