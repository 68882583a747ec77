using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace VirtShell.State.Tests.Coverage;

/// <summary>
/// Finds forgotten fields. It goes through everything that a part reaches, changes each mutable field, and looks whether what
/// the part describes changes too. A field that does not show must say why with <see cref="NotStateAttribute"/>; what is
/// behind such a field, or of a type that has the attribute, is left alone.
/// </summary>
/// <remarks>
/// References that cannot change, delegates, and collections of parts are wiring, and only followed; so is a primary constructor's
/// parameter that nothing but the constructor stores. A pointer to a structure of ours is followed as the structure.
/// </remarks>
internal sealed class StateCoverage
{
    private const BindingFlags Fields = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    private readonly IStateful _root;
    private readonly StateTree _before;
    private readonly HashSet<object> _seen = new(ReferenceEqualityComparer.Instance);
    private readonly Queue<object> _waiting = new();
    private readonly SortedSet<string> _forgotten = new(StringComparer.Ordinal);

    private StateCoverage(IStateful root)
    {
        _root = root;
        _before = StateTree.Of(root);
        Follow(root);
        while (_waiting.TryDequeue(out object? next))
        {
            Check(next);
        }
    }

    /// <summary>Types that were met.</summary>
    public HashSet<Type> Types { get; } = [];

    /// <summary>What is neither described nor marked, by type and name.</summary>
    public IReadOnlyCollection<string> Forgotten => _forgotten;

    public static StateCoverage Of(IStateful root) => new(root);

    private static bool IsOurs(Type type) => type.Assembly.GetName().Name!.StartsWith("VirtShell", StringComparison.Ordinal);

    private static bool IsFixed(FieldInfo field) => field.IsInitOnly || (field.Name.StartsWith('<') && field.Name.EndsWith(">P", StringComparison.Ordinal) && !IsStored(field));

    // Looks through the code of the type, and of the types in it, for what stores the field or takes its address.
    private static bool IsStored(FieldInfo field)
    {
        const byte LoadAddress = 0x7C;
        const byte Store = 0x7D;
        byte[] token = BitConverter.GetBytes(field.MetadataToken);
        IEnumerable<Type> types = field.DeclaringType!.GetNestedTypes(BindingFlags.Public | BindingFlags.NonPublic).Prepend(field.DeclaringType);
        return types
            .SelectMany(static type => type.GetMethods(Fields | BindingFlags.Static))
            .Select(static method => method.GetMethodBody()?.GetILAsByteArray())
            .OfType<byte[]>()
            .Any(code => code.AsSpan().IndexOf([Store, .. token]) >= 0 || code.AsSpan().IndexOf([LoadAddress, .. token]) >= 0);
    }

    private static bool IsMarked(MemberInfo member) => member.IsDefined(typeof(NotStateAttribute), inherit: false);

    // A property's field has the property's mark.
    private static bool IsMarked(FieldInfo field)
    {
        if (IsMarked((MemberInfo)field))
        {
            return true;
        }

        return field.Name.StartsWith('<')
            && field.DeclaringType!.GetProperty(field.Name[1..field.Name.IndexOf('>', StringComparison.Ordinal)], Fields) is { } property
            && IsMarked(property);
    }

    private void Follow(object? target)
    {
        if (target is not null && IsOurs(target.GetType()) && target is not Delegate && !target.GetType().IsValueType && !IsMarked(target.GetType()) && _seen.Add(target))
        {
            _waiting.Enqueue(target);
        }
    }

    private void Check(object target)
    {
        Types.Add(target.GetType());
        for (Type? type = target.GetType(); type is not null && IsOurs(type); type = type.BaseType)
        {
            foreach (FieldInfo field in type.GetFields(Fields).Where(static field => !IsMarked(field)))
            {
                if (field.FieldType.IsPointer)
                {
                    CheckPointer(field, target);
                }
                else
                {
                    Check(field, target);
                }
            }
        }
    }

    private void Check(FieldInfo field, object target)
    {
        Type type = field.FieldType;
        object? value = field.GetValue(target);
        if (typeof(Delegate).IsAssignableFrom(type))
        {
            return;
        }

        if (type.IsValueType || type == typeof(string))
        {
            if (!IsFixed(field) && !Shows(Variants(value, type), variant => field.SetValue(target, variant), value))
            {
                Forget(field);
            }
        }
        else if (value is Array array)
        {
            CheckArray(field, array);
        }
        else if (value is IDictionary dictionary)
        {
            foreach (object? entry in dictionary.Values)
            {
                CheckElement(field, entry);
            }
        }
        else if (value is IEnumerable items && !IsOurs(value.GetType()) && value.GetType().GetMethod("Clear") is { } clear)
        {
            CheckCollection(field, items, clear);
        }
        else
        {
            if (!IsFixed(field) && !typeof(IStateful).IsAssignableFrom(type))
            {
                Forget(field);
            }

            Follow(value);
        }
    }

    private void CheckElement(FieldInfo field, object? element)
    {
        if (element is Array array)
        {
            CheckArray(field, array);
        }
        else
        {
            Follow(element);
        }
    }

    private void CheckArray(FieldInfo field, Array array)
    {
        Type type = array.GetType().GetElementType()!;
        if (!type.IsValueType)
        {
            foreach (object? element in array)
            {
                CheckElement(field, element);
            }

            return;
        }

        foreach (int index in array.Length == 0 ? Array.Empty<int>() : [0, array.Length - 1])
        {
            object value = array.GetValue(index)!;
            if (!Shows(Variants(value, type), variant => array.SetValue(variant, index), value))
            {
                Forget(field);
            }
        }
    }

    private void CheckCollection(FieldInfo field, IEnumerable collection, MethodInfo clear)
    {
        Type element = collection.GetType().GetGenericArguments()[0];
        if (!element.IsValueType)
        {
            foreach (object? each in collection)
            {
                Follow(each);
            }

            return;
        }

        MethodInfo add = ((string[])["Enqueue", "Push", "Add"]).Select(name => collection.GetType().GetMethod(name)).First(static each => each is not null)!;
        object[] before = [.. collection.Cast<object>()];
        add.Invoke(collection, [RuntimeHelpers.GetUninitializedObject(element)]);
        bool shows = Differs();
        clear.Invoke(collection, null);
        foreach (object each in before)
        {
            add.Invoke(collection, [each]);
        }

        if (!shows)
        {
            Forget(field);
        }
    }

    private unsafe void CheckPointer(FieldInfo pointer, object target)
    {
        Type type = pointer.FieldType.GetElementType()!;
        void* address = Pointer.Unbox(pointer.GetValue(target)!);
        if (address != null && IsOurs(type) && !type.IsPrimitive)
        {
            CheckStructure(type, (byte*)address);
        }
    }

    private unsafe void CheckStructure(Type type, byte* address)
    {
        foreach (FieldInfo field in type.GetFields(Fields).Where(static field => !IsMarked(field)))
        {
            byte* at = address + (int)Marshal.OffsetOf(type, field.Name);
            FixedBufferAttribute? buffer = field.GetCustomAttribute<FixedBufferAttribute>();
            if (buffer is null && field.FieldType.IsValueType && !field.FieldType.IsPrimitive && !field.FieldType.IsEnum)
            {
                CheckStructure(field.FieldType, at);
                continue;
            }

            int size = Marshal.SizeOf(buffer?.ElementType ?? (field.FieldType.IsEnum ? Enum.GetUnderlyingType(field.FieldType) : field.FieldType));
            // A buffer may be longer than what it holds, for alignment: its middle stands for it.
            int[] indexes = [buffer is null ? 0 : buffer.Length / 2];
            foreach (int index in indexes)
            {
                byte* element = at + (index * size);
                byte value = *element;
                if (!Shows(Variants(value, typeof(byte)), variant => *element = (byte)variant!, value))
                {
                    Forget(field);
                }
            }
        }
    }

    private bool Shows(IEnumerable<object?> variants, Action<object?> set, object? value)
    {
        foreach (object? variant in variants)
        {
            set(variant);
            bool shows = Differs();
            set(value);
            if (shows)
            {
                return true;
            }
        }

        return false;
    }

    private bool Differs()
    {
        try
        {
            return StateTree.Differences(_before, StateTree.Of(_root), limit: 1).Count > 0;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // What the field says matters so much that nothing fits any more.
            return true;
        }
    }

    private void Forget(FieldInfo field) => _forgotten.Add($"{field.DeclaringType!.Name}.{field.Name}");

    private static IEnumerable<object?> Variants(object? value, Type type)
    {
        if (Nullable.GetUnderlyingType(type) is { } underlying)
        {
            yield return value is null ? RuntimeHelpers.GetUninitializedObject(underlying) : null;
        }
        else if (type.IsEnum)
        {
            foreach (object? number in Variants(Convert.ChangeType(value, Enum.GetUnderlyingType(type), null), Enum.GetUnderlyingType(type)))
            {
                yield return Enum.ToObject(type, number!);
            }
        }
        else if (type == typeof(bool))
        {
            yield return !(bool)value!;
        }
        else if (type == typeof(string))
        {
            yield return value + "x";
        }
        else if (type.IsPrimitive)
        {
            foreach (long flip in (long[])[1, 2, 8, 64, -1])
            {
                yield return Flip(value!, flip);
            }
        }
        else
        {
            foreach (FieldInfo field in type.GetFields(Fields))
            {
                foreach (object? variant in Variants(field.GetValue(value), field.FieldType))
                {
                    object copy = RuntimeHelpers.GetObjectValue(value)!;
                    field.SetValue(copy, variant);
                    yield return copy;
                }
            }
        }
    }

    private static object Flip(object value, long flip) => unchecked(value switch
    {
        byte x => (object)(byte)(x ^ flip),
        sbyte x => (sbyte)(x ^ flip),
        char x => (char)(x ^ flip),
        ushort x => (ushort)(x ^ flip),
        short x => (short)(x ^ flip),
        uint x => (uint)(x ^ flip),
        int x => (int)(x ^ flip),
        ulong x => x ^ (ulong)flip,
        long x => x ^ flip,
        nint x => x ^ (nint)flip,
        _ => throw new NotSupportedException($"A field of type {value.GetType()} is not known to this test."),
    });
}
