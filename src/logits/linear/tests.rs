//! Against materialised logits.
