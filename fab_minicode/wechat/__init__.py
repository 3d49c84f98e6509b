"""
The telephone to WeChat: requests and answers as values (``protocol``, ``credentials``), and the one module that opens
a socket (``client``).
"""
