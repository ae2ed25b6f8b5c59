"""Frames of a game, with score and step below them, as MP4 or GIF."""

import itertools
import subprocess
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from experiments.flags import OverrideError
from launch.policies.render_episodes import Frame

_NARROWEST = 160  # pixels, so that the caption has room
_BACKGROUND = (18, 20, 26)
_INK = (230, 232, 236)
# Plays everywhere, from its first byte; game pictures are small and keep their edges.
_MP4 = (
    *("-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "16"),
    *("-movflags", "+faststart", "-f", "mp4"),
)


def number(score: float) -> str:
    """A score as people read it: `1,200`, `-21`, `0.5`."""
    return f"{score:,.0f}" if float(score).is_integer() else f"{score:,.1f}"


def captioned(frame: Frame) -> Image.Image:
    """The unchanged picture and a caption below; both sides even, for MP4."""
    height, width, _ = frame.picture.shape
    strip = max(18, height // 14)
    total = (max(width, _NARROWEST) + 1) // 2 * 2, (height + strip + 1) // 2 * 2
    image = Image.new("RGB", total, _BACKGROUND)
    image.paste(Image.fromarray(frame.picture), ((total[0] - width) // 2, 0))
    draw, font = ImageDraw.Draw(image), _font(strip * 3 // 5)
    middle, margin = height + strip // 2, strip // 3
    score, step = f"score {number(frame.score)}", f"step {frame.step:,}"
    draw.text((margin, middle), score, _INK, font, anchor="lm")
    draw.text((total[0] - margin, middle), step, _INK, font, anchor="rm")
    return image


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def write(path: Path, frames: Iterable[Frame], frames_per_second: float) -> None:
    """Writes a video, as MP4 or GIF by the suffix of `path`.

    Args:
        path: ends in `.mp4` or `.gif`.
        frames: at least one, all of one size.
        frames_per_second: a GIF rounds the time of a frame to hundredths of a second.

    Raises:
        OSError: the video cannot be written.
        OverrideError: no encoder for MP4 is installed.
    """
    images = map(captioned, frames)
    if path.suffix.lower() == ".gif":
        _write_gif(path, images, frames_per_second)
    else:
        _write_mp4(path, images, frames_per_second)


def _write_gif(path: Path, images: Iterator[Image.Image], rate: float) -> None:
    hundredths = max(2, round(100 / rate))  # below two, browsers slow down
    next(images).save(
        path,
        format="GIF",
        save_all=True,
        append_images=images,
        duration=10 * hundredths,
        loop=0,
    )


def _write_mp4(path: Path, images: Iterator[Image.Image], rate: float) -> None:
    first = next(images)
    encoder = subprocess.Popen(
        [*_encoder(), *_raw_input(first.size, rate), *_MP4, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,  # on Ctrl+C we end the encoder
    )
    assert encoder.stdin is not None
    try:
        for image in itertools.chain([first], images):
            encoder.stdin.write(image.tobytes())
    except BrokenPipeError:
        pass  # its error output has the reason
    except BaseException:
        encoder.kill()
        raise
    finally:
        _, complaint = encoder.communicate()
    if encoder.returncode:
        raise OSError(complaint.decode(errors="replace") or "the encoder failed")


def _encoder() -> list[str]:
    import imageio_ffmpeg

    try:
        return [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error"]
    except RuntimeError as error:
        raise OverrideError(
            "MP4 needs ffmpeg, which is missing; use --output FILE.gif"
        ) from error


def _raw_input(size: tuple[int, int], rate: float) -> list[str]:
    shape = f"{size[0]}x{size[1]}"
    kind = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", shape, "-r", f"{rate:g}"]
    return [*kind, "-i", "-"]
