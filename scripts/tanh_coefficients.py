"""Fits the coefficients of the vectorised tanh in src/model/tanh.rs.

tanh(x) is approximated by x P(x^2) / Q(x^2) on [0, BOUND], P and Q of degree 4, so as to minimise the largest relative error:
least squares on Chebyshev points, linearised in the denominator (Sanathanan and Koerner) and reweighted towards the worst
points (Lawson), until it no longer improves. Prints the coefficients and the error of the float32 evaluation.

    pip install numpy && python3 scripts/tanh_coefficients.py
"""

import numpy as np

BOUND, DEGREE, ROUNDS = 7.9, 4, 400


def fit():
    k = np.arange(4000)
    x = BOUND * (1 - np.cos(np.pi * (k + 0.5) / 4000)) / 2
    s, target = (x / BOUND) ** 2, np.tanh(x)
    lawson, denominator, best = np.ones_like(x), np.ones_like(x), None
    for _ in range(ROUNDS):
        weight = np.sqrt(lawson) / target / np.abs(denominator)
        columns = [x * s**i for i in range(DEGREE + 1)] + [-target * s**j for j in range(1, DEGREE + 1)]
        solution = np.linalg.lstsq(np.stack(columns, 1) * weight[:, None], target * weight, rcond=None)[0]
        p, q = solution[: DEGREE + 1], np.concatenate([[1], solution[DEGREE + 1 :]])
        denominator = np.polyval(q[::-1], s)
        error = np.abs(x * np.polyval(p[::-1], s) / denominator / target - 1)
        if best is None or error.max() < best[0]:
            best = error.max(), p, q
        lawson *= (error / error.max() + 1e-3) ** 0.5
        lawson /= lawson.max()
    unscale = BOUND ** (-2.0 * np.arange(DEGREE + 1))
    return best[0], best[1] * unscale, best[2] * unscale


def float32_error(p, q):
    x = np.linspace(-10, 10, 4_000_001, dtype=np.float32)
    y = np.clip(x, np.float32(-BOUND), np.float32(BOUND))
    s = y * y
    found = y * np.polyval(p[::-1].astype(np.float32), s) / np.polyval(q[::-1].astype(np.float32), s)
    return np.abs(found - np.tanh(x.astype(float))).max()


if __name__ == "__main__":
    relative, p, q = fit()
    print("P", p.tolist())
    print("Q", q.tolist())
    print(f"relative error of the fit {relative:.2e}, absolute error in float32 {float32_error(p, q):.2e}")
