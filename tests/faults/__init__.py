"""What must hold under faults: the F rows of ``docs/promises.md``, each with a twin that plants a defect."""
