"""The commands of `ls-retrieval`, one module a stage of the work. Heavy imports happen inside the commands."""
