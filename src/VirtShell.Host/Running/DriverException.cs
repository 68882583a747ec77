using System;

namespace VirtShell.Host.Running;

/// <summary>An exception that a driver let out.</summary>
internal sealed class DriverException(Exception inner) : Exception($"{inner.GetType().Name} from the driver: {inner.Message}", inner);
