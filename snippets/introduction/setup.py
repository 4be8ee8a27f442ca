# --8<-- [start:imports]
import os
import subprocess
import sys
import tempfile
from importlib import metadata, util

import keras
import numpy as np
import tensorflow as tf
from keras import layers

# --8<-- [end:imports]

# --8<-- [start:versions]
tested = {  # what this course is made for: at least, and below
    "tensorflow": ("2.21", "2.22"),
    "keras": ("3.15", "3.16"),
    "numpy": ("2.4", "3"),
    "matplotlib": ("3.11", "3.12"),
}


def numbers(version):
    """Turn 2.21.0 into (2, 21), which compares as a version should."""
    return tuple(int(part) for part in version.split(".")[:2])


print("python      ", ".".join(map(str, sys.version_info[:2])))
for name, (least, below) in tested.items():
    version = metadata.version(name)
    fits = numbers(least) <= numbers(version) < numbers(below)
    print(f"{name:12} {version:8} {'ok' if fits else 'another'}")
    assert fits, f"{name} {version}: the course needs {least}"
assert (3, 11) <= sys.version_info[:2] <= (3, 13)
assert "2.9" > "2.21"  # as text, and wrong …
assert numbers("2.9") < numbers("2.21")  # … as numbers
# --8<-- [end:versions]

# --8<-- [start:devices]
for device in tf.config.list_physical_devices():
    print(device.device_type, device.name)
gpus = tf.config.list_physical_devices("GPU")
print("number of GPUs:", len(gpus))
assert tf.config.list_physical_devices("CPU")  # there is always one
# --8<-- [end:devices]

# --8<-- [start:works]
keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(256, 10, 1))  # (…, timesteps, 1)
y = x.mean(axis=1)  # (256, 1)
model = keras.Sequential(
    [keras.Input((10, 1)), layers.LSTM(8), layers.Dense(1)]
)
model.compile(keras.optimizers.Adam(0.01), "mse")
losses = model.fit(x, y, epochs=10, verbose=0).history["loss"]
print(f"loss: {losses[0]:.4f} in epoch 1, {losses[-1]:.4f} in epoch 10")
assert losses[-1] < 0.5 * losses[0]
# --8<-- [end:works]

# --8<-- [start:lines]
known = {  # a piece of a line that TensorFlow writes: what it is about
    "oneDNN custom operations": "oneDNN is on",
    "Could not find cuda drivers": "no GPU driver",
    "AVX": "CPU instructions",
    "rebuild TensorFlow": "CPU instructions",
    "failed call to cuInit": "no GPU driver, again",
    "All log messages before": "log not set up yet",
}
ask = "import tensorflow as tf; tf.config.list_physical_devices()"
runs = {}
for level in "03":  # two fresh processes, side by side
    runs[level] = subprocess.Popen(
        [sys.executable, "-c", ask],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": level},
    )
seen = {}
for level, process in runs.items():
    written = process.communicate()[1]
    assert process.returncode == 0  # whatever it writes, it works
    seen[level] = {known[piece] for piece in known if piece in written}
print("about                  level 0   level 3")
for about in dict.fromkeys(known.values()):
    marks = ["yes" if about in seen[level] else "-" for level in "03"]
    print(f"{about:22} {marks[0]:>7} {marks[1]:>9}")
assert seen["3"] <= seen["0"]
if sys.platform == "linux":
    assert "CPU instructions" not in seen["3"]
    assert seen["3"]  # and yet it is not silent
# --8<-- [end:lines]

# --8<-- [start:wheel]
supported = [
    line.split("::")[-1].strip()
    for line in metadata.metadata("tensorflow").get_all("Classifier")
    if "Python :: 3." in line
]
mine = f"{sys.version_info.major}.{sys.version_info.minor}"
print("this TensorFlow is made for Python", ", ".join(supported))
assert mine in supported
# --8<-- [end:wheel]

# --8<-- [start:built]
for name in ("is_cuda_build", "cuda_version", "cudnn_version"):
    print(f"{name:14}", tf.sysconfig.get_build_info().get(name, "none"))
needs = metadata.requires("tensorflow")
extra = [need.split(";")[0] for need in needs if "and-cuda" in need]
print(f"tensorflow[and-cuda] adds {len(extra)} packages, among them:")
for need in sorted(extra):
    if "runtime" in need or "cudnn" in need:
        print("  ", need)
assert any(need.startswith("nvidia-cudnn-cu12") for need in extra)
# --8<-- [end:built]

# --8<-- [start:shadow]
program = "import tensorflow as tf\nprint(tf.constant(1))\n"
with tempfile.TemporaryDirectory() as folder:
    with open(f"{folder}/tensorflow.py", "w") as file:  # the mistake
        file.write(program)
    result = subprocess.run(
        [sys.executable, f"{folder}/tensorflow.py"],
        capture_output=True,
        text=True,
    )
error = result.stderr.splitlines()[-1]
print(error[: error.index("tensorflow") + 11], "…")
assert result.returncode == 1
assert error.startswith("AttributeError")
assert "has no attribute 'constant'" in error
assert tf.__file__.endswith("__init__.py")  # the real one
# --8<-- [end:shadow]

# --8<-- [start:board]
installed = util.find_spec("tensorboard") is not None
print("TensorBoard is installed:", installed)
needed = [need for need in needs if need.startswith("tensorboard")]
print("TensorFlow asks for it:  ", bool(needed))
assert not needed
# --8<-- [end:board]

# --8<-- [start:growth]
program = """
import tensorflow as tf

gpus = tf.config.list_physical_devices("GPU")
for gpu in gpus:  # must come before the first tensor
    tf.config.experimental.set_memory_growth(gpu, True)
print("memory grows on demand on", len(gpus), "GPUs")
"""
result = subprocess.run(
    [sys.executable, "-c", program], capture_output=True, text=True
)
print(result.stdout.strip())
assert result.returncode == 0
assert result.stdout.startswith("memory grows")
# --8<-- [end:growth]

# --8<-- [start:starter-place]
a = tf.random.stateless_uniform((3, 3), seed=(0, 0))
print(a.device.split("/")[-1])
# --8<-- [end:starter-place]

# --8<-- [start:solution-place]
best = "GPU:0" if gpus else "CPU:0"
assert a.device.endswith(best)  # a GPU is chosen by itself
with tf.device("CPU:0"):
    b = a @ a
print("asked for CPU:0, computed on", b.device.split("/")[-1])
assert b.device.endswith("CPU:0")
# --8<-- [end:solution-place]

# --8<-- [start:starter-report]
print(numbers(metadata.version("keras")), keras.backend.backend())
# --8<-- [end:starter-report]


# --8<-- [start:solution-report]
def report():
    """What to write into a question to others, one fact a line."""
    gpus = tf.config.list_physical_devices("GPU")
    facts = {
        "system": sys.platform,
        "python": mine,
        "virtual environment": sys.prefix != sys.base_prefix,
        "backend": keras.backend.backend(),
        "GPUs": len(gpus),
    }
    facts |= {name: metadata.version(name) for name in tested}
    return facts


for name, value in report().items():
    print(f"{name:20} {value}")
assert report()["backend"] == "tensorflow"
# --8<-- [end:solution-report]
