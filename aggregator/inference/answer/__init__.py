"""What an answer holds beside the posterior: state, intervals, compliance, silence, common causes."""
