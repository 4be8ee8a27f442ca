# At the root, so that pytest loads the runner for pages and tests alike.
pytest_plugins = ["tests.runner"]
