"""Labelled junction scenes: traffic by SUMO, pictures by our renderer, truth from the simulator."""
