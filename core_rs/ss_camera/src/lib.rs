//! One camera: decode, detect and track on a thread of its own, with checkpoints.
