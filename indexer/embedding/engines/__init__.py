"""The engines that run a model: TensorFlow and OpenVINO, their precisions and the choice."""
