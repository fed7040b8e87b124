//! Tells the source which libav it is built against (the bindings' metadata).

fn main() {
    println!("cargo::rustc-check-cfg=cfg(frame_flag_key)");
    // FFmpeg 6.1 moved `AVFrame::key_frame` into the flags; 8 removed the field.
    if std::env::var_os("DEP_FFMPEG_FFMPEG_6_1").is_some() {
        println!("cargo::rustc-cfg=frame_flag_key");
    }
}
