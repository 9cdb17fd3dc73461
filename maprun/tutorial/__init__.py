"""AWS's tutorial "Copying large-scale CSV data using Distributed Map", run here: `maprun demo`."""
