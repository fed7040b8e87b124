"""Evidence of suspected violations: packages, their store, its chain, and what proves that nothing was touched."""
