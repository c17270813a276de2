"""Keras calls that are known by name: those that are dropped, constants, methods of a model."""

from __future__ import annotations

DROPPED = (
    "keras.utils.plot_model",
    "keras.backend.clear_session",
    "keras.utils.clear_session",
    "keras.config.disable_traceback_filtering",
    "keras.config.enable_traceback_filtering",
    "keras.config.disable_interactive_logging",
    "keras.config.enable_interactive_logging",
    "tensorflow.get_logger",
    "tensorflow.autograph.set_verbosity",
    "tensorflow.compat.v1.logging.set_verbosity",
    "tensorflow.config.experimental.set_memory_growth",
    "tensorflow.config.experimental.enable_op_determinism",
)
"""Calls that have no counterpart and need none; allowed only as statements of their own."""

CONSTANTS = {
    "keras.backend.image_data_format": "channels_last",
    "keras.config.image_data_format": "channels_last",
    "keras.backend.image_dim_ordering": "tf",
    "keras.backend.backend": "tensorflow",
    "keras.config.backend": "tensorflow",
    "keras.backend.epsilon": 1e-7,
    "keras.config.epsilon": 1e-7,
    "keras.config.floatx": "float32",
    "keras.backend.floatx": "float32",
}

METHODS = {
    "fit": "x y batch_size epochs verbose callbacks validation_split validation_data shuffle "
    "class_weight sample_weight initial_epoch steps_per_epoch validation_steps "
    "validation_batch_size validation_freq",
    "evaluate": "x y batch_size verbose sample_weight steps callbacks return_dict",
    "predict": "x batch_size verbose steps callbacks",
    "fit_generator": "x steps_per_epoch epochs verbose callbacks validation_data validation_steps "
    "validation_freq class_weight max_queue_size workers use_multiprocessing shuffle "
    "initial_epoch",
    "evaluate_generator": "x steps callbacks max_queue_size workers use_multiprocessing verbose",
    "predict_generator": "x steps callbacks max_queue_size workers use_multiprocessing verbose",
    "predict_classes": "x batch_size verbose",
    "train_on_batch": "x y sample_weight class_weight reset_metrics return_dict",
    "predict_on_batch": "x",
    "compile": "optimizer loss metrics loss_weights weighted_metrics run_eagerly "
    "steps_per_execution jit_compile auto_scale_loss sample_weight_mode target_tensors",
    "summary": "line_length positions print_fn expand_nested show_trainable layer_range",
    "save": "filepath overwrite include_optimizer save_format zipped",
    "save_weights": "filepath overwrite save_format",
    "load_weights": "filepath skip_mismatch by_name",
    "count_params": "",
    "reset_states": "",
}
"""Methods of a model that are migrated, with their positional parameters."""

SAME = {
    "fit_generator": "fit",
    "evaluate_generator": "evaluate",
    "predict_generator": "predict",
    "predict_on_batch": "predict",
}
"""Methods that do what another does."""

FED = ("fit", "evaluate", "predict", "train_on_batch", "compile")
"""Methods that are given something for each input or output."""

OLD_ARGUMENTS = {
    "nb_epoch": "epochs",
    "metric": "metrics",
    "show_accuracy": "show_accuracy",
    "generator": "x",
}

KINDS = {"layers": "layer", "callbacks": "callback"}
"""The events of constructors, by section."""

UNREAD = {
    "input_shape", "stop_training", "trainable", "weights", "trainable_weights",
    "non_trainable_weights", "variables", "trainable_variables", "non_trainable_variables",
    "optimizer", "losses", "updates", "metrics", "built",
}  # fmt: skip
"""What a Keras model has besides methods and torch's has not: reading it is refused."""
