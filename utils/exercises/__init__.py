"""Graders, one module a lesson. `grade_M(answer, …)` returns a hint, or None where all is right."""
