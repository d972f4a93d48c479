"""The peer of `benchmarks.service_load`: the proof of concept as a typical deployment.

    PEER_VECTORS=vectors.npy gunicorn -k gthread 'benchmarks.peer_service:create_app()'

Uses Keras's VGG16 with `model.predict` at batch size 1, and scikit-learn's brute-force nearest
neighbours.
"""

import io
import os

import keras
import numpy as np
from flask import Flask, Response, jsonify, request
from sklearn.neighbors import NearestNeighbors

_SIDE = 224


def create_app() -> Flask:
    """Creates the app and warms the model up. Random weights are as fast as trained ones."""
    vgg16 = keras.applications.vgg16
    model = vgg16.VGG16(
        weights=None, include_top=False, pooling="avg", input_shape=(_SIDE, _SIDE, 3)
    )
    vectors = np.load(os.environ["PEER_VECTORS"])
    neighbours = NearestNeighbors(n_neighbors=10, metric="cosine", algorithm="brute").fit(vectors)
    model.predict(np.zeros((1, _SIDE, _SIDE, 3), np.float32), verbose=0)
    app = Flask(__name__)

    @app.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="ok")

    @app.post("/v1/search")
    def search() -> Response:
        file = io.BytesIO(request.files["image"].read())
        photo = keras.utils.img_to_array(keras.utils.load_img(file, target_size=(_SIDE, _SIDE)))
        features = model.predict(vgg16.preprocess_input(photo[None]), verbose=0)
        distances, rows = neighbours.kneighbors(features)
        pairs = zip(rows[0].tolist(), distances[0].tolist(), strict=True)
        return jsonify(results=[{"product_id": row, "distance": far} for row, far in pairs])

    return app
