# --8<-- [start:imports]
import time

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

# --8<-- [end:imports]

# --8<-- [start:trace]
traced = []


@tf.function
def square_sum(x):
    """The sum of squares; notes what it is given while it is traced."""
    traced.append(x)
    return tf.reduce_sum(x * x)


results = [float(square_sum(tf.fill((3,), value))) for value in (1.0, 2.0)]
print("results", results, "- Python ran", len(traced), "time")
print("with", type(traced[0]).__name__, traced[0].shape)
assert results == [3, 12]
assert len(traced) == 1
# --8<-- [end:trace]

# --8<-- [start:graph]
concrete = square_sum.get_concrete_function(tf.zeros(3))
for operation in concrete.graph.get_operations():
    print(f"{operation.type:12} {operation.name}")
kinds = [operation.type for operation in concrete.graph.get_operations()]
assert {"Mul", "Sum"} <= set(kinds)
# --8<-- [end:graph]


# --8<-- [start:retrace]
@tf.function
def double(x):
    """Twice x."""
    return x + x


calls = {
    "tf.constant(1.0)": tf.constant(1.0),
    "tf.constant(2.0)": tf.constant(2.0),
    "2.0": 2.0,
    "3.0": 3.0,
    "tf.constant([1.0, 2.0])": tf.constant([1.0, 2.0]),
    "tf.constant([3.0, 4.0])": tf.constant([3.0, 4.0]),
}
counts = []
print("double(…)                 traces so far")
for text, value in calls.items():
    double(value)
    counts.append(double.experimental_get_tracing_count())
    print(f"{text:25} {counts[-1]:5d}")
assert counts == [1, 1, 2, 3, 4, 4]
# --8<-- [end:retrace]


# --8<-- [start:cures]
@tf.function
def mean(x):
    """The mean of all values of x."""
    return tf.reduce_mean(x)


@tf.function(reduce_retracing=True)
def relaxed(x):
    """The same; allow any length from the second one on."""
    return tf.reduce_mean(x)


@tf.function(input_signature=[tf.TensorSpec((None,), "float32")])
def signed(x):
    """The same, for any length from the start."""
    return tf.reduce_mean(x)


versions = {
    "as it is": mean,
    "reduce_retracing=True": relaxed,
    "input_signature, length None": signed,
}
traces = []
print("                              traces for four lengths")
for name, version in versions.items():
    for length in (5, 6, 7, 8):
        version(tf.ones(length))
    traces.append(version.experimental_get_tracing_count())
    print(f"{name:29} {traces[-1]}")
assert traces == [4, 2, 1]
# --8<-- [end:cures]


# --8<-- [start:speed]
def chain(x, w):
    """Twenty steps of a simple recurrence; x and w are (n, n)."""
    for _ in range(20):
        x = tf.tanh(x @ w)
    return x


def seconds(function, *inputs, calls=20):
    """The shortest of several calls, after one that is not counted."""
    function(*inputs)
    times = []
    for _ in range(calls):
        start = time.perf_counter()
        function(*inputs).numpy()
        times.append(time.perf_counter() - start)
    return min(times)


ways = {
    "eager": chain,
    "tf.function": tf.function(chain),
    "XLA": tf.function(chain, jit_compile=True),
}
sizes = [4, 16, 64, 512]
taken = {way: [] for way in ways}
for n in sizes:
    x, w = tf.ones((n, n)), tf.eye(n) / 2
    for way, function in ways.items():
        taken[way].append(seconds(function, x, w))
print("ms per call of chain" + "".join(f"{n:>9}" for n in sizes))
for way, values in taken.items():
    print(f"{way:20}" + "".join(f"{1000 * v:9.2f}" for v in values))
gain = np.array(taken["eager"]) / np.array(taken["tf.function"])
print(f"{'eager / tf.function':20}" + "".join(f"{g:9.1f}" for g in gain))
assert gain[0] > 1.2
assert gain[0] > gain[-1]  # less to save where the arithmetic takes long
assert 0.4 < gain[-1] < 2.5
assert taken["eager"][0] / taken["XLA"][0] > 1.3
# --8<-- [end:speed]

# --8<-- [start:figure]
fig, axis = plt.subplots(figsize=(5.2, 3.4))
for (way, values), style in zip(taken.items(), ("-o", "--s", ":^")):
    axis.loglog(sizes, [1000 * v for v in values], style, label=way)
axis.set(xlabel="rows and columns n", ylabel="time per call [ms]")
axis.set_xticks(sizes, sizes)
axis.minorticks_off()
axis.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=3)
plt.show()
# --8<-- [end:figure]

# --8<-- [start:effects]
log, counter, factor = [], tf.Variable(0), 10.0


@tf.function
def step():
    """Does the same things with Python and with TensorFlow."""
    log.append("called")
    counter.assign_add(1)
    return np.random.normal(), tf.random.normal(()), tf.constant(factor)


draws = [step() for _ in range(4)]
assert counter == 4
factor = 99.0
print("log has", len(log), "entry, counter is", counter.numpy())
different = [len({float(draw[k]) for draw in draws}) for k in (0, 1)]
print("different random numbers: NumPy", different[0], end=", ")
print("TensorFlow", different[1])
print("factor is", factor, "- the graph says", float(step()[2]))
assert len(log) == 1
assert different == [1, 4]
assert step()[2] == 10
# --8<-- [end:effects]


# --8<-- [start:loops]
@tf.function
def python_loop(x, n):
    """Half of x, n times; n is a Python number."""
    for _ in range(n):
        x = x / 2
    return x


@tf.function
def tensor_loop(x, n):
    """Half of x, n times; n is a tensor."""
    for _ in tf.range(n):
        x = x / 2
    return x


one = tf.constant(1.0)
size = {}
print("operations for n =         10   100")
for function, kind in ((python_loop, int), (tensor_loop, tf.constant)):
    name = function.python_function.__name__
    graphs = [function.get_concrete_function(one, kind(n)) for n in (10, 100)]
    size[name] = [len(graph.graph.get_operations()) for graph in graphs]
    print(f"{name:23} {size[name][0]:5d} {size[name][1]:5d}")
    assert function(one, kind(10)) == 2**-10
assert size["python_loop"][1] > 5 * size["python_loop"][0]
assert size["tensor_loop"][1] == size["tensor_loop"][0]
# --8<-- [end:loops]


# --8<-- [start:branch]
@tf.function
def absolute(x):
    """The absolute value of a number."""
    if x < 0:
        return -x
    return x


print([float(absolute(tf.constant(value))) for value in (-2.0, 3.0)])
print(absolute.experimental_get_tracing_count(), "trace")
assert absolute(tf.constant(-2.0)) == 2
assert absolute(tf.constant(3.0)) == 3
assert absolute.experimental_get_tracing_count() == 1
# --8<-- [end:branch]


# --8<-- [start:xla]
@tf.function(input_signature=[tf.TensorSpec((None, 8))], jit_compile=True)
def compiled(x):
    """tanh of the rows of x, ten times."""
    for _ in range(10):
        x = tf.tanh(x)
    return x


waited = {"first": [], "second": []}
for rows in (5, 6):
    for call in ("first", "second"):
        start = time.perf_counter()
        result = compiled(tf.ones((rows, 8))).numpy()
        waited[call].append(time.perf_counter() - start)
    ratio = waited["first"][-1] / waited["second"][-1]
    more = "more" if ratio > 5 else "at most"
    print(f"{rows} rows: the first call takes {more} than 5 times the second")
    assert ratio > 5
print("traces", compiled.experimental_get_tracing_count())
assert compiled.experimental_get_tracing_count() == 1

y = tf.ones((6, 8))
for _ in range(10):
    y = tf.tanh(y)
assert np.allclose(result, y, atol=1e-5)
try:
    tf.function(tf.strings.as_string, jit_compile=True)(tf.ones(3))
except tf.errors.InvalidArgumentError as error:
    print(error.message[:53], "…")
else:
    raise AssertionError("XLA compiled an operation on text")
# --8<-- [end:xla]

# --8<-- [start:warning]
caught = []


def catch(record):
    """Keep the message of a warning instead of showing it."""
    caught.append(record.getMessage())
    return False


@tf.function
def by_number(rate):
    """Stands for a training step, called with a Python number."""
    return rate * 0.5


@tf.function
def by_tensor(rate):
    """The same, called with a tensor."""
    return rate * 0.5


tf.get_logger().addFilter(catch)
for rate in (0.1, 0.05, 0.02, 0.01, 0.005):
    by_tensor(tf.constant(rate))
print("tensors:", by_tensor.experimental_get_tracing_count(), end=" trace, ")
print(len(caught), "warnings")
assert caught == []
for rate in (0.1, 0.05, 0.02, 0.01, 0.005):
    by_number(rate)
print("numbers:", by_number.experimental_get_tracing_count(), end=" traces, ")
print(len(caught), "warning")
tf.get_logger().removeFilter(catch)
start, end = caught[0].split(" <")[0], caught[0].split("> ")[1]
print(start, "…", end.split(". ")[0])
assert len(caught) == 1
assert by_number.experimental_get_tracing_count() == 5
assert by_tensor.experimental_get_tracing_count() == 1
# --8<-- [end:warning]


# --8<-- [start:leak]
@tf.function
def collect(n):
    """The squares of 0 … n - 1 in a Python list."""
    squares = []
    for k in tf.range(n):
        squares.append(k * k)
    return tf.stack(squares)


@tf.function
def write(n):
    """The same in a TensorArray."""
    squares = tf.TensorArray("int32", size=n)
    for k in tf.range(n):
        squares = squares.write(k, k * k)
    return squares.stack()


try:
    collect(tf.constant(4))
except ValueError as error:
    print("collect:", type(error).__name__)
else:
    raise AssertionError("the list went through")
print("write:", write(tf.constant(4)).numpy())
assert write(tf.constant(4)).numpy().tolist() == [0, 1, 4, 9]
# --8<-- [end:leak]


# --8<-- [start:starter-once]
@tf.function
def descend(w, gradient, rate):
    """One step against the gradient."""
    return w - rate * gradient


for length, rate in ((2, 0.1), (3, 0.1), (3, 0.05)):
    w = descend(tf.ones(length), tf.ones(length), rate)
print(descend.experimental_get_tracing_count(), "traces")
# --8<-- [end:starter-once]

# --8<-- [start:solution-once]
vector, number = tf.TensorSpec((None,)), tf.TensorSpec(())
once = tf.function(descend.python_function, [vector, vector, number])
for length, rate in ((2, 0.1), (3, 0.1), (3, 0.05)):
    again = once(tf.ones(length), tf.ones(length), rate)
print(once.experimental_get_tracing_count(), "trace")
assert descend.experimental_get_tracing_count() == 3
assert once.experimental_get_tracing_count() == 1
assert np.allclose(again, w)
# --8<-- [end:solution-once]


# --8<-- [start:starter-noise]
rng = np.random.default_rng(0)


@tf.function
def noisy(x):
    """x with some noise."""
    return x + rng.normal(size=3)


x = tf.zeros(3, "float64")
print(noisy(x).numpy().round(2), noisy(x).numpy().round(2))
# --8<-- [end:starter-noise]

# --8<-- [start:solution-noise]
generator = tf.random.Generator.from_seed(0)


@tf.function
def fresh(x):
    """x with other noise at every call."""
    return x + generator.normal((3,), dtype=x.dtype)


first, second = fresh(x), fresh(x)
generator.reset_from_seed(0)
repeated = fresh(x)
print(first.numpy().round(2), second.numpy().round(2))
assert (noisy(x) == noisy(x)).numpy().all()
assert (first != second).numpy().all()
assert (first == repeated).numpy().all()
# --8<-- [end:solution-noise]
