from tidegate.core.compression import engine


def compress_result(tool, input, output, *, agent=None, level="lossless"):
    return engine.shorten(tool, input, output)


def compress_messages(messages, *, level="lossless"):
    from tidegate.core.compression import messages as m

    return m.shorten(messages, level)
