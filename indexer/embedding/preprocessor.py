"""`preprocessor_config.json`: how Hugging Face's image processors prepare a photo for a model.

Follows the processors of the library transformers whose steps are: resize, crop the centre,
rescale, normalise. Photos are resized by Pillow, as those processors did when most models were
trained; newer versions use torchvision, whose pixels differ slightly.
"""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from indexer.errors import ModelError
from indexer.validation import explained

FILE_NAME = "preprocessor_config.json"

# Processors with these steps only -> whether a size of one number is the shorter side.
_PROCESSORS = {
    "Beit": False,
    "Bit": True,
    "Blip": False,
    "CLIP": True,
    "ConvNext": True,
    "DINOv3ViT": False,
    "DeiT": False,
    "MobileNetV1": True,
    "MobileNetV2": True,
    "Siglip": False,
    "ViT": False,
}
_CLASS = re.compile(r"(\w+?)(?:ImageProcessor(?:Fast|Pil)?|FeatureExtractor)")
# Steps that change nothing: photos are RGB already and have no labels.
_WITHOUT_EFFECT = {"do_convert_rgb", "do_reduce_labels"}
_WARPED_FROM = 384  # pixels: ConvNext crops no photos of this side or more
_MAX_SIDE = 512  # as for embedding.input_size
_MAX_RESIZED = 2 * _MAX_SIDE
# Only the centre of a longer photo is used; resizing all of it could fill the memory.
_MAX_RATIO = 4

Channels = tuple[float, float, float]
Size = int | dict[str, int | None]


@dataclass(frozen=True)
class Preprocessor:
    """The steps from an RGB photo to the values that a model expects.

    Attributes:
        resized: length in pixels after resizing of the shorter side if `keeps_ratio`, otherwise
            of both sides.
        keeps_ratio: keeps the aspect ratio.
        side: of the square at the centre that is used; at most `resized`.
        resample: filter for resizing, by Pillow's number.
        scale: factor of the pixels; then `mean` is subtracted, and `std` divides.
        mean: of red, green and blue.
        std: of red, green and blue.
    """

    resized: int
    keeps_ratio: bool
    side: int
    resample: int
    scale: float
    mean: Channels
    std: Channels

    @property
    def canonical(self) -> str:
        """All attributes as one line of JSON, for fingerprints."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    def square(self, image: Image.Image) -> NDArray[np.uint8]:
        """Resizes and crops an RGB photo to a C-contiguous uint8 array (side, side, 3)."""
        width = height = self.resized
        if self.keeps_ratio:
            image = _shortened(image)
            shorter = min(image.size)
            width, height = (int(self.resized * length / shorter) for length in image.size)
        image = image.resize((width, height), Image.Resampling(self.resample))
        left, top = (width - self.side) // 2, (height - self.side) // 2
        square = image.crop((left, top, left + self.side, top + self.side))
        return np.array(square, dtype=np.uint8, order="C")

    def values(self, pixels: Any) -> Any:
        """Rescales and normalises float32 pixels (..., 3), of NumPy or another library."""
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        return (pixels * np.float32(self.scale) - mean) / std


def read_preprocessor(path: Path) -> Preprocessor:
    """Reads a `preprocessor_config.json`.

    Raises:
        ModelError: the file cannot be read, or asks for steps that are not supported.
    """
    try:
        return _Config.model_validate_json(path.read_bytes()).preprocessor()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    except ValidationError as invalid:
        raise ModelError(explained(_Config, invalid, str(path))) from None
    except _UnsupportedError as error:
        raise ModelError(f"{path}: {error}") from None


class _UnsupportedError(Exception):
    """The file asks for steps that are not supported."""


class _Config(BaseModel):
    """The keys that matter; processors write more."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    image_processor_type: str | None = None
    feature_extractor_type: str | None = None
    do_resize: bool = True
    size: Size
    resample: Annotated[int, Field(ge=0, le=5)]
    do_center_crop: bool | None = None
    crop_size: Size | None = None
    crop_pct: Annotated[float, Field(gt=0, le=1)] | None = None
    do_rescale: bool = True
    rescale_factor: Annotated[float, Field(gt=0)] = 1 / 255
    do_normalize: bool = True
    image_mean: Channels | None = None
    image_std: Channels | None = None

    def preprocessor(self) -> Preprocessor:
        """Returns the steps.

        Raises:
            _UnsupportedError: they are not supported.
        """
        self._require_known_steps()
        resized, keeps_ratio, side = self._lengths()
        if not side <= resized <= _MAX_RESIZED or not 1 <= side <= _MAX_SIDE:
            raise _UnsupportedError(
                f"crops {side} of {resized} pixels; allowed: up to {_MAX_SIDE} of {_MAX_RESIZED}"
            )
        mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
        if self.do_normalize:
            if self.image_mean is None or self.image_std is None or 0 in self.image_std:
                raise _UnsupportedError("image_mean or image_std is missing, or has a 0")
            mean, std = self.image_mean, self.image_std
        scale = self.rescale_factor if self.do_rescale else 1.0
        return Preprocessor(resized, keeps_ratio, side, self.resample, scale, mean, std)

    def _require_known_steps(self) -> None:
        name = self.image_processor_type or self.feature_extractor_type
        if name is not None and self._family not in _PROCESSORS:
            raise _UnsupportedError(
                f"{name} is not supported; supported: {', '.join(_PROCESSORS)}ImageProcessor; write"
                " the steps for one of these if they are the same"
            )
        for step, wanted in (self.model_extra or {}).items():
            if wanted is True and step.startswith("do_") and step not in _WITHOUT_EFFECT:
                raise _UnsupportedError(f"the step {step} is not supported")
        if not self.do_resize:
            raise _UnsupportedError("do_resize is false, but photos have any size")

    @property
    def _family(self) -> str:
        name = self.image_processor_type or self.feature_extractor_type or ""
        known = _CLASS.fullmatch(name)
        return known[1] if known else ""

    def _lengths(self) -> tuple[int, bool, int]:
        """Returns `resized`, `keeps_ratio` and `side`."""
        length, keeps_ratio = _length(self.size, _PROCESSORS.get(self._family))
        if self._family == "ConvNext":
            if length >= _WARPED_FROM:
                return length, False, length
            return int(length / (self.crop_pct or 224 / 256)), True, length
        crops = self.crop_size is not None if self.do_center_crop is None else self.do_center_crop
        if crops and self.crop_size is not None:
            side, _ = _length(self.crop_size, False)
            return length, keeps_ratio, side
        if keeps_ratio:
            raise _UnsupportedError("resizes the shorter side without do_center_crop: not a square")
        return length, False, length


def _length(size: Size, shorter: bool | None) -> tuple[int, bool]:
    """Returns a length in pixels, and whether it is that of the shorter side.

    `shorter` says what one number means; None if that is not known.
    """
    if isinstance(size, int):
        if shorter is None:
            raise _UnsupportedError(
                f"size {size} is ambiguous; write shortest_edge, or height and width"
            )
        return size, shorter
    match {key: length for key, length in size.items() if length is not None}:
        case {"shortest_edge": length, **others} if not others:
            return length, True
        case {"height": height, "width": width, **others} if not others and height == width:
            return height, False
    raise _UnsupportedError(f"size {json.dumps(size)} does not give a square")


def _shortened(image: Image.Image) -> Image.Image:
    """Cuts the ends of a photo that is much longer than wide."""
    longest = _MAX_RATIO * min(image.size)
    (width, height) = (min(length, longest) for length in image.size)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    if (width, height) == image.size:
        return image
    return image.crop((left, top, left + width, top + height))
