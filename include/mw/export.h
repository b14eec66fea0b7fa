/* SPDX-License-Identifier: Apache-2.0
 *
 * Macros for the other public headers: compiler attributes, and casts and a null pointer that
 * compile as C and as C++ without a warning. Programs use none of them.
 */
#ifndef MW_EXPORT_H
#define MW_EXPORT_H

#if defined(__GNUC__)
#define MW_API __attribute__((__visibility__("default")))
#define MW_USE_RESULT __attribute__((__warn_unused_result__))
#define MW_PRINTF(string_index, first) __attribute__((__format__(__printf__, string_index, first)))
#else
#define MW_API
#define MW_USE_RESULT
#define MW_PRINTF(string_index, first)
#endif

#ifdef __cplusplus
#define MW_BEGIN_DECLS extern "C" {
#define MW_END_DECLS }
#define MW_CAST_(type, value) static_cast<type>(value)
#define MW_NULL_ nullptr
#else
#define MW_BEGIN_DECLS
#define MW_END_DECLS
#define MW_CAST_(type, value) ((type)(value))
#define MW_NULL_ NULL
#endif

#endif
