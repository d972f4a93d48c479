"""The settings that determine vectors."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from indexer.config.section import Section

MODEL_SUFFIXES = (".keras", ".onnx")
# `fashion` is an alias of the newest version.
WEIGHTS_PRESETS = ("fashion", "fashion-2", "imagenet", "untrained")
# Versions that are no longer bundled; commands that load no model still accept them.
RETIRED_PRESETS = ("fashion-1",)


class EmbeddingSettings(Section):
    """How photos become vectors. All but `engine` and `precision` determine the fingerprint."""

    model: str = Field(
        "vgg16",
        description="`vgg16`, its dense layers `vgg16-fc1` and `vgg16-fc2`, `vgg19`, `resnet50`,"
        " `inception_v3`, `densenet121`, `mobilenet_v3_large`, `efficientnet_v2_b0`,"
        " `convnext_tiny`, or the path of a .keras or .onnx file: docs/models.md.",
    )
    weights: str = Field(
        "fashion",
        description="`fashion-2` (bundled, for vgg16; clothing and footwear), `fashion` (the newest"
        " version, now `fashion-2`), `imagenet` (downloaded once; general merchandise), `untrained`"
        " (seeded; for tests), or the path of a .h5, .keras, .weights.h5, .npz (also from"
        " `finetune`) or .int8 file (from `calibrate`).",
    )
    input_size: Annotated[int, Field(ge=32, le=512)] | Literal["auto"] = Field(
        "auto",
        description="Side of the model's square input in pixels."
        " `auto`: the side that the model was trained with, 64 for fashion-2, 299 for inception_v3,"
        " that of a model file, 224 otherwise.",
    )
    resize: Literal["bilinear", "nearest", "letterbox"] = Field(
        "bilinear",
        description="`bilinear` (antialiased) gives the best results, `nearest` matches vectors"
        " made with Keras's load_img, `letterbox` keeps the aspect ratio.",
    )
    pooling: Literal["average", "max", "gem"] = Field(
        "average",
        description="How the feature maps at the end of the model become a vector: their mean,"
        " their maximum, or the generalised mean with exponent 3. box=auto and explanations need"
        " `average`.",
    )
    whitening: Literal["none"] | Path = Field(
        "none",
        description="File from `whiten`: a map of the vectors learned from the catalogue, for"
        " weights that were not trained on such photos.",
    )
    engine: Literal["auto", "tensorflow", "openvino"] = Field(
        "auto",
        description="Runtime of the model. `auto`: `openvino`, which is faster, if installed,"
        " otherwise `tensorflow`. The vectors are the same.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="Number format. `auto`: bfloat16 if the processor supports it (twice as fast,"
        " cosine 0.9999 to float32), otherwise float32.",
    )
