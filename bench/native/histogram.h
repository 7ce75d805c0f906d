// Latencies in buckets: constant memory, no sorting after the run, 1 % resolution.
#pragma once
#include <cmath>
#include <cstdint>
#include <vector>

class Histogram {
public:
  Histogram() : buckets_(kBuckets, 0) {}

  void record(double microseconds) {
    if (microseconds < 1) microseconds = 1;
    size_t bucket = static_cast<size_t>(std::log(microseconds) * kPerNeper);
    if (bucket >= kBuckets) bucket = kBuckets - 1;
    buckets_[bucket]++;
    count_++;
    if (microseconds > max_) max_ = microseconds;
  }

  void clear() {
    buckets_.assign(kBuckets, 0);
    count_ = 0;
    max_ = 0;
  }

  double quantile(double q) const {
    uint64_t wanted = static_cast<uint64_t>(std::ceil(q * static_cast<double>(count_)));
    uint64_t seen = 0;
    for (size_t i = 0; i < kBuckets; i++) {
      seen += buckets_[i];
      if (seen >= wanted && seen > 0) return std::exp((static_cast<double>(i) + 0.5) / kPerNeper);
    }
    return 0;
  }

  uint64_t count() const { return count_; }
  double max() const { return max_; }

private:
  static constexpr double kPerNeper = 100;
  static constexpr size_t kBuckets = 1900; // up to e^19 us, three minutes
  std::vector<uint64_t> buckets_;
  uint64_t count_ = 0;
  double max_ = 0;
};
