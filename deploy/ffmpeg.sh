#!/bin/sh
# An own small FFmpeg, LGPL, from Debian's source package: the decoders of cameras and recorders, clips by stream copy,
# luma-only decoding, nothing that is GPL, no program, no shared library. `./dev ffmpeg` calls this; `SMARTSTREAM_FFMPEG=DIR ./dev …` uses it.
#
# usage: deploy/ffmpeg.sh DIR          DIR/lib holds static libraries, DIR/include headers, DIR/LICENSE.md what to carry along
#        SUITE=trixie deploy/ffmpeg.sh DIR          another Debian release's FFmpeg (5.1 to 8 fit)
set -eu
[ $# -eq 1 ] || { sed -n '5,6s/^# //p' "$0" >&2; exit 2; }
mkdir -p "$1"
PREFIX=$(cd "$1" && pwd)
SUITE=${SUITE:-bookworm}
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
WORK=$PREFIX/build

say() { printf '%s\n' "ffmpeg.sh: $*" >&2; }
for tool in apt-get dpkg-source make cc nasm pkg-config; do
    command -v $tool >/dev/null 2>&1 || { say "needs $tool: apt-get install dpkg-dev build-essential nasm pkg-config"; exit 1; }
done

# The source, by apt with lists of its own: signatures are checked, the system's sources stay as they are.
mkdir -p "$WORK/lists/partial" "$WORK/cache/archives/partial"
cd "$WORK"
for archive in "debian $SUITE" "debian-security $SUITE-security"; do
    echo "deb-src [signed-by=$KEYRING] http://deb.debian.org/${archive% *} ${archive#* } main"
done >sources.list
apt_get() {
    apt-get -q -o Dir::Etc::sourcelist="$WORK/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::lists="$WORK/lists" -o Dir::Cache="$WORK/cache" -o Acquire::Languages=none \
        -o APT::Sandbox::User=root "$@" >&2
}
apt_get update
rm -rf source ./*.dsc
apt_get source --download-only ffmpeg
dpkg-source -x ./ffmpeg_*.dsc source >&2 # Debian's fixes applied
cd source

# No demuxer for playlists: a file must not make us open others. TLS is not libav's here: the core brings its own.
./configure --prefix="$PREFIX" --enable-static --disable-shared --enable-pic --enable-gray \
    --disable-everything --disable-autodetect --disable-programs --disable-doc --disable-debug \
    --disable-avdevice --disable-avfilter --disable-swresample --disable-swscale --disable-postproc \
    --enable-decoder=h264,hevc,mjpeg,mpeg4,msmpeg4v1,msmpeg4v2,msmpeg4v3 \
    --enable-parser=h264,hevc,mjpeg,mpeg4video \
    --enable-demuxer=mov,matroska,mpegts,mpegps,avi,flv,h264,hevc,mjpeg,mpjpeg,m4v,rtsp,rtp,sdp \
    --enable-protocol=file,tcp,udp,rtp,http \
    --enable-muxer=mp4,matroska \
    --enable-bsf=h264_mp4toannexb,hevc_mp4toannexb,extract_extradata,mpeg4_unpack_bframes >configure.log ||
    { tail -n 20 configure.log >&2; exit 1; }
grep -q '^License: LGPL' configure.log || { say "the result would not be LGPL"; exit 1; }
make -s -j"$(nproc)" >make.log 2>&1 || { tail -n 20 make.log >&2; exit 1; }
make -s install >>make.log 2>&1
cp LICENSE.md COPYING.LGPLv2.1 "$PREFIX/"
head -n 1 debian/changelog >"$PREFIX/SOURCE"
cd "$PREFIX"
rm -rf "$WORK"
say "$(cat SOURCE) is in $PREFIX"
