"""torch optimizers whose `step` is Keras's; constructor, groups and checkpoints stay torch's."""

import torch


class SGD(torch.optim.SGD):
    """SGD whose momentum keeps its size when the rate changes: Keras puts the rate inside it."""

    def step(self, closure=None):
        for group in self.param_groups:
            ratio = group.get("last_lr", group["lr"]) / group["lr"]
            group["last_lr"] = group["lr"]
            for p in group["params"]:
                if ratio != 1 and p in self.state:
                    self.state[p]["momentum_buffer"] *= ratio
        return super().step(closure)


class RMSprop(torch.optim.RMSprop):
    """RMSprop with epsilon inside the square root, as in Keras."""

    @torch.no_grad()
    def step(self, closure=None):
        loss = torch.enable_grad()(closure)() if closure else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p not in self.state:
                    self.state[p] = {"step": torch.zeros(()), "square_avg": torch.zeros_like(p)}
                v = self.state[p]["square_avg"].lerp_(p.grad.square(), 1 - group["alpha"])
                p.addcdiv_(p.grad, (v + group["eps"]).sqrt(), value=-group["lr"])
        return loss


class RMSpropFull(torch.optim.RMSprop):
    """RMSprop with epsilon inside the square root and the rate inside the momentum, as in Keras."""

    @torch.no_grad()
    def step(self, closure=None):
        loss = torch.enable_grad()(closure)() if closure else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p not in self.state:
                    names = ("square_avg", "grad_avg", "momentum_buffer")
                    self.state[p] = {name: torch.zeros_like(p) for name in names}
                    self.state[p]["step"] = torch.zeros(())
                state = self.state[p]
                v = state["square_avg"].lerp_(p.grad.square(), 1 - group["alpha"])
                if group["centered"]:
                    v = v - state["grad_avg"].lerp_(p.grad, 1 - group["alpha"]).square()
                update = group["lr"] * p.grad / (v + group["eps"]).sqrt()
                p -= state["momentum_buffer"].mul_(group["momentum"]).add_(update)
        return loss


class Adagrad(torch.optim.Adagrad):
    """Adagrad with epsilon inside the square root, as in Keras."""

    @torch.no_grad()
    def step(self, closure=None):
        loss = torch.enable_grad()(closure)() if closure else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    total = self.state[p]["sum"].addcmul_(p.grad, p.grad)
                    p.addcdiv_(p.grad, (total + group["eps"]).sqrt(), value=-group["lr"])
        return loss


class SGDFull(torch.optim.SGD):
    """SGD with the rate inside the momentum, as in Keras; the rate may become zero."""

    @torch.no_grad()
    def step(self, closure=None):
        loss = torch.enable_grad()(closure)() if closure else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    v = self.state[p].setdefault("momentum_buffer", torch.zeros_like(p))
                    v.mul_(group["momentum"]).add_(p.grad, alpha=group["lr"])
                    if group["nesterov"]:
                        p -= group["momentum"] * v + group["lr"] * p.grad
                    else:
                        p -= v
        return loss


class Lion(torch.optim.Optimizer):
    """Lion, which steps by the sign of a mixed momentum; its state is one momentum."""

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        loss = torch.enable_grad()(closure)() if closure else None
        for group in self.param_groups:
            one, two = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p not in self.state:
                    self.state[p] = {"exp_avg": torch.zeros_like(p)}
                average = self.state[p]["exp_avg"]
                p *= 1 - group["lr"] * group["weight_decay"]
                p -= group["lr"] * average.lerp(p.grad, 1 - one).sign()
                average.lerp_(p.grad, 1 - two)
        return loss


class Adamax(torch.optim.Adamax):
    """Adamax with epsilon beside the maximum and not in it, as in Keras."""

    @torch.no_grad()
    def step(self, closure=None):
        loss = torch.enable_grad()(closure)() if closure else None
        for group in self.param_groups:
            one, two = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p not in self.state:
                    names = ("exp_avg", "exp_inf")
                    self.state[p] = {name: torch.zeros_like(p) for name in names}
                    self.state[p]["step"] = torch.zeros(())
                state = self.state[p]
                state["step"] += 1
                average = state["exp_avg"].lerp_(p.grad, 1 - one)
                largest = torch.maximum(state["exp_inf"].mul_(two), p.grad.abs())
                state["exp_inf"] = largest
                rate = group["lr"] / (1 - one ** state["step"].item())
                p.addcdiv_(average, largest + group["eps"], value=-rate)
        return loss


class Ftrl(torch.optim.Optimizer):
    """Follow the regularized leader: small weights are exactly zero where `l1` is not."""

    def __init__(
        self, params, lr=1e-3, power=-0.5, start=0.1, l1=0.0, l2=0.0, shrinkage=0.0, beta=0.0
    ):
        names = {"power": power, "start": start, "l1": l1, "l2": l2, "shrinkage": shrinkage}
        super().__init__(params, {"lr": lr, "beta": beta, **names})

    @torch.no_grad()
    def step(self, closure=None):
        loss = torch.enable_grad()(closure)() if closure else None
        for group in self.param_groups:
            lr, power, l1 = group["lr"], -group["power"], group["l1"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p not in self.state:
                    total = torch.full_like(p, group["start"])
                    self.state[p] = {"sum": total, "linear": torch.zeros_like(p)}
                total, linear = self.state[p]["sum"], self.state[p]["linear"]
                larger = total + p.grad.square()
                linear += p.grad + 2 * group["shrinkage"] * p
                linear -= (larger**power - total**power) / lr * p
                quadratic = larger**power / lr + 2 * group["l2"] + group["beta"] / lr
                p.copy_((linear.clamp(-l1, l1) - linear) / quadratic)
                total.copy_(larger)
        return loss


class Lamb(torch.optim.Optimizer):
    """Adam whose step of each weight is as long as the weight itself, times the rate."""

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-7):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self, closure=None):
        loss = torch.enable_grad()(closure)() if closure else None
        for group in self.param_groups:
            one, two = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p not in self.state:
                    names = ("exp_avg", "exp_avg_sq")
                    self.state[p] = {name: torch.zeros_like(p) for name in names}
                    self.state[p]["step"] = 0
                state = self.state[p]
                state["step"] += 1
                m = state["exp_avg"].lerp_(p.grad, 1 - one) / (1 - one ** state["step"])
                v = state["exp_avg_sq"].lerp_(p.grad.square(), 1 - two)
                update = m / ((v / (1 - two ** state["step"])).sqrt() + group["eps"])
                ratio = p.norm() / update.norm()
                ratio = torch.where(torch.isfinite(ratio) & (ratio > 0), ratio, 1.0)
                p -= group["lr"] * ratio * update
        return loss


class Adafactor(torch.optim.Optimizer):
    """Adafactor with Keras's formula; the squares of a kernel are kept by rows and columns.

    eps: what is added to the squares, and the least that a step is scaled by.
    """

    def __init__(self, params, lr=1e-3, beta2_decay=-0.8, eps=(1e-30, 1e-3), d=1.0):
        super().__init__(params, {"lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d})

    @torch.no_grad()
    def step(self, closure=None):
        loss = torch.enable_grad()(closure)() if closure else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                state["step"] = step = state.get("step", 0) + 1
                square = p.grad.square() + group["eps"][0]
                kept = step ** group["beta2_decay"]  # of this step's squares
                v = self.squares(state, square, kept)
                update = p.grad / v.sqrt()
                update /= (update.square().mean().sqrt() / group["d"]).clamp_min(1.0)
                rate = min(group["lr"], step**-0.5)
                p -= rate * p.square().mean().sqrt().clamp_min(group["eps"][1]) * update
        return loss

    @staticmethod
    def squares(state, square, kept):
        if square.dim() < 2:
            v = state.setdefault("square_avg", torch.zeros_like(square))
            return v.lerp_(square, kept)
        # outputs and inputs are Keras's last axes and torch's first
        row = state.setdefault("row", torch.zeros_like(square[0])).lerp_(square.mean(0), kept)
        column = state.setdefault("column", torch.zeros_like(square[:, 0]))
        column.lerp_(square.mean(1), kept)
        return (row / row.mean(0, keepdim=True))[None] * column[:, None]


class ScheduleFreeAdamW(torch.optim.Optimizer):
    """AdamW without a schedule, as in Keras: the weights are pulled to an average of themselves."""

    def __init__(
        self, params, lr=2.5e-3, betas=(0.9, 0.999), eps=1e-8, warmup_steps=0, weight_decay=0.0
    ):
        defaults = {"lr": lr, "betas": betas, "eps": eps, "warmup_steps": warmup_steps}
        super().__init__(params, {**defaults, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        loss = torch.enable_grad()(closure)() if closure else None
        for group in self.param_groups:
            one, two = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p not in self.state:
                    self.state[p] = {"z": p.clone(), "square_avg": torch.zeros_like(p), "step": 0}
                state = self.state[p]
                state["step"] = step = state["step"] + 1
                p -= p * group["weight_decay"] * group["lr"]
                rate = group["lr"] * min(step / max(group["warmup_steps"], 1), 1.0)
                v = state["square_avg"].lerp_(p.grad.square(), 1 - two)
                update = p.grad / ((v / (1 - two**step)).sqrt() + group["eps"])
                z = state["z"].sub_(rate * update)
                x = (p - (1 - one) * z) / one  # Keras on TensorFlow has the new z here
                p.copy_((1 - one) * z + one * x.lerp(z, 1 / step))
        return loss
