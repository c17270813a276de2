"""An agent that builds its network in a method, asks it for values and fits it step by step."""

from collections import deque

import numpy as np
from tensorflow.keras.layers import Dense
from tensorflow.keras.models import Sequential
from tensorflow.keras.optimizers import Adam

STATE = 4
BATCH = 12


class Agent:
    def __init__(self, actions, hidden=(24, 16)):
        self.actions = actions
        self.learning_rate = 0.01
        self.gamma = 0.9
        self.memory = deque(maxlen=200)
        self.model = self._build(hidden)

    def _build(self, hidden):
        # values of the actions in a state
        model = Sequential()
        model.add(Dense(hidden[0], input_dim=STATE, activation="relu"))
        for units in hidden[1:]:
            model.add(Dense(units, activation="relu"))
        model.add(Dense(self.actions, activation="linear"))
        model.compile(loss="mse", optimizer=Adam(learning_rate=self.learning_rate))
        return model

    def act(self, state):
        return int(np.argmax(self.model.predict(state, verbose=0)[0]))

    def remember(self, *moment):
        self.memory.append(moment)

    def replay(self):
        for chosen in rng.choice(len(self.memory), BATCH, replace=False):
            state, action, reward, after, done = self.memory[chosen]
            target = reward
            if not done:
                values = self.model.predict(after, verbose=0)
                target = reward + self.gamma * np.max(values[0])
            wanted = self.model.predict(state, verbose=0)
            wanted[0][action] = target
            self.model.fit(state, wanted, epochs=1, verbose=0)


class Critic:
    """Judges a state; its network is made where the object is."""

    def __init__(self, depth=2, width=12):
        self.width = width
        self.net = Sequential()
        self.net.add(Dense(self.width, input_dim=STATE, activation="tanh"))
        for _ in range(depth):
            self.net.add(Dense(self.width, activation="tanh"))
        self.net.add(Dense(1))
        self.net.compile(loss="mse", optimizer="sgd")

    def learn(self, states, returns):
        history = self.net.fit(states, returns, epochs=3, batch_size=16, verbose=0)
        return history.history["loss"]


rng = np.random.default_rng(0)
agent = Agent(actions=3)
critic = Critic()
states, rewards = [], []
for time in range(48):
    state = rng.normal(size=(1, STATE)).astype("float32")
    after = rng.normal(size=(1, STATE)).astype("float32")
    reward = float(state[0, agent.act(state)])
    agent.remember(state, agent.act(state), reward, after, time % 12 == 11)
    states.append(state[0])
    rewards.append([reward])
agent.replay()
losses = critic.learn(np.array(states), np.array(rewards, dtype="float32"))
print(losses)
