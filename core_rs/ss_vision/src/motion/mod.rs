//! Motion detector for a fixed camera: background model on reduced luma, blobs to detections.
