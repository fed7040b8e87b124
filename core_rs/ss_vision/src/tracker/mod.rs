//! Multi-object tracker: detections of consecutive frames to tracks.
