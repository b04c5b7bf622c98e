"""The sandbox over real sockets: every limit, every fault, its memory and its page."""
