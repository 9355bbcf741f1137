"""What a real Chromium paints of a picture file, to compare with the views that Sluice scores.

A page at a loopback address (a secure context, which `ImageDecoder` needs) decodes the files; no
server runs. Stills are drawn from an `<img>`, animations frame by frame, each on white and black.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

from PIL import Image
from playwright.sync_api import Browser, Page

GROUNDS = ("white", "black")
_ADDRESS = "http://127.0.0.1/oracle"
_SCRIPT = """async ({data, type, most, grounds}) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const paint = async (picture, width, height) => {
    const painted = [];
    for (const ground of grounds) {
      const canvas = new OffscreenCanvas(width, height);
      const context = canvas.getContext("2d");
      context.fillStyle = ground;
      context.fillRect(0, 0, width, height);
      context.drawImage(picture, 0, 0);
      const png = new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer());
      let text = "";
      for (let at = 0; at < png.length; at += 8192) {
        text += String.fromCharCode(...png.subarray(at, at + 8192));
      }
      painted.push(btoa(text));
    }
    return painted;
  };
  const still = async () => {
    const image = new Image();
    image.src = URL.createObjectURL(new Blob([bytes], {type}));
    await image.decode();
    return paint(image, image.naturalWidth, image.naturalHeight);
  };
  const frames = async () => {
    const decoder = new ImageDecoder({data: bytes, type, preferAnimation: true});
    await decoder.tracks.ready;
    await decoder.completed;
    const count = decoder.tracks.selectedTrack.frameCount;
    const painted = [];
    for (let frameIndex = 0; frameIndex < Math.min(count, most); frameIndex++) {
      let image;
      try {
        ({image} = await decoder.decode({frameIndex}));
      } catch (error) {
        break;  // the page keeps the frame before
      }
      painted.push(await paint(image, image.displayWidth, image.displayHeight));
      image.close();
    }
    return {count, painted};
  };
  try {
    const first = await still();
    const one = () => ({count: 1, painted: []});  // no animation that `ImageDecoder` takes
    const result = type === "image/jpeg" ? one() : await frames().catch(one);
    return {...result, first, error: null};
  } catch (error) {
    return {count: 0, painted: [], first: null, error: String(error)};
  }
}"""


@dataclass(frozen=True)
class Painted:
    """What the browser paints: for each frame an image for each of `GROUNDS`, RGB.

    `frames` is empty if the file is not shown at all. `count` is the number of frames that the
    browser reports.
    """

    count: int
    frames: list[list[Image.Image]]
    error: str | None


class Oracle:
    """One page of a browser, which paints files one after the other."""

    def __init__(self, browser: Browser) -> None:
        self._page: Page = browser.new_page()
        self._page.route(
            "**/*", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html")
        )
        self._page.goto(_ADDRESS)

    def close(self) -> None:
        self._page.close()

    def paint(self, data: bytes, media_type: str, most: int = 400) -> Painted:
        """Paint `data` as `media_type`; of an animation, at most its first `most` frames."""
        result = self._page.evaluate(
            _SCRIPT,
            {
                "data": base64.b64encode(data).decode(),
                "type": media_type,
                "most": most,
                "grounds": GROUNDS,
            },
        )
        still = [result["first"]] if result["first"] else []
        # A browser that decodes one frame shows the `<img>`, which is turned by its EXIF block.
        moving = result["painted"] if result["count"] > 1 and result["painted"] else still
        return Painted(
            result["count"],
            [[_image(png) for png in painted] for painted in moving],
            result["error"],
        )


def _image(png: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
