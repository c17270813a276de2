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
