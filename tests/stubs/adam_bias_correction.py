"""Neutralises a rounding of Keras 3: Adam's bias correction 1 - beta ** t is computed in float32,
where beta_2 = 0.999 is 1.3e-8 too large, so that the rate is up to 6.4e-6 (relative) too small."""


def install_keras(keras):
    from keras import ops

    def update_step(self, gradient, variable, learning_rate):
        step = ops.cast(self.iterations + 1, "float64")
        correction = ops.sqrt(1 - self.beta_2**step) / (1 - self.beta_1**step)
        rate = ops.cast(ops.cast(learning_rate, "float64") * correction, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        index = self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]
        self.assign_add(m, (gradient - m) * (1 - self.beta_1))
        self.assign_add(v, (ops.square(gradient) - v) * (1 - self.beta_2))
        if self.amsgrad:
            largest = self._velocity_hats[index]
            self.assign(largest, ops.maximum(largest, v))
            v = largest
        self.assign_sub(variable, m * rate / (ops.sqrt(v) + self.epsilon))

    keras.optimizers.Adam.update_step = update_step


def install_torch():
    pass
